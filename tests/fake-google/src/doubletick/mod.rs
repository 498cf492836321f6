//! DoubleTick, as far as the service has to do with it: where an address is registered, who is asked for
//! chats and customers, and who sends the events.
//!
//! ```text
//! FakeDoubleTick (this file)   starts it, has people use it, makes things go wrong
//!   ├─ registration            the channels, and the webhooks of the account
//!   ├─ chats                   who looks after which chat; the list of them, and customers
//!   ├─ events                  what webhooks are sent when a chat changes
//!   └─ faults                  what becomes of a call
//! ```
//!
//! What people do to a chat is in the list at once, and sent to the webhooks that are registered: once, in
//! order, and never again, whatever they answer. Events can be swallowed or held back on the way.

mod chats;
mod events;
mod faults;
mod registration;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::rt::{System, time};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use jiff::Timestamp;
use serde_json::{Value, json};

pub use crate::doubletick::faults::DoubleTickFault;

use crate::doubletick::chats::{Agent, Chat, Inbox, Party, digits};
use crate::doubletick::events::{Event, Fate, call};
use crate::doubletick::faults::{Kind, Script};
use crate::doubletick::registration::Registration;

/// The key that is accepted, raw in the header.
const KEY: &str = "key_of-the-tests";

type Act = Box<dyn FnOnce(&FakeDoubleTick) + Send>;

#[derive(Default)]
struct State {
    registration: Registration,
    inbox: Inbox,
    script: Script,
    /// Method, path and query of each call.
    requests: Vec<String>,
    after_lists: VecDeque<Act>,
    fate: Fate,
    held: Vec<Event>,
}

struct Shared {
    url: String,
    state: Mutex<State>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running stand-in. Clones are the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct FakeDoubleTick {
    shared: Arc<Shared>,
    /// None in the hands of the server itself, which must not keep itself alive.
    _running: Option<Arc<Running>>,
}

struct Running(ServerHandle);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stop(false));
    }
}

impl std::fmt::Debug for FakeDoubleTick {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FakeDoubleTick").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl FakeDoubleTick {
    /// An account with these channels, in digits.
    pub fn start(numbers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let mut state = State::default();
        state.registration.numbers = owned(numbers);
        let shared = Arc::new(Shared { url, state: Mutex::new(state) });
        let running = Running(serve(listener, Arc::clone(&shared)));
        Self { shared, _running: Some(Arc::new(running)) }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The key that it accepts.
    pub fn key(&self) -> &'static str {
        KEY
    }

    /// It takes no webhooks for that number.
    pub fn refuse_number(&self, number: &str) {
        self.shared.lock().registration.refused.push(number.to_owned());
    }

    /// A person fills in the form.
    pub fn add_webhook(&self, url: &str, name: &str, events: &[&str], numbers: &[&str]) {
        let webhook = json!({ "url": url, "name": name, "webhookEvents": events });
        self.shared.lock().registration.add(&webhook, &owned(numbers), None);
    }

    /// A person deletes all of them.
    pub fn remove_webhooks(&self) {
        self.shared.lock().registration.webhooks.clear();
    }

    /// The webhooks as they are, with what is not shown of them.
    pub fn webhooks(&self) -> Vec<Value> {
        self.shared.lock().registration.webhooks.clone()
    }

    /// Method, path and query of every call with the right key so far, as far as the path begins so.
    pub fn requests(&self, path: &str) -> Vec<String> {
        let requests = self.shared.lock().requests.clone();
        let is_of_it = |call: &String| {
            call.split_once(' ').is_some_and(|(_, called)| called.starts_with(path))
        };
        requests.into_iter().filter(is_of_it).collect()
    }

    /// What changed something, or tried to: method and path.
    pub fn changes(&self) -> Vec<String> {
        self.requests("/").into_iter().filter(|call| !call.starts_with("GET")).collect()
    }
}

/// What goes wrong.
impl FakeDoubleTick {
    /// What happens to the next calls about channels and webhooks that have no fault yet, one each.
    pub fn fail_next(&self, faults: &[DoubleTickFault]) {
        self.shared.lock().script.of(Kind::Registration).next.extend(faults);
    }

    /// The same of the next pages of the list of chats.
    pub fn fail_next_lists(&self, faults: &[DoubleTickFault]) {
        self.shared.lock().script.of(Kind::List).next.extend(faults);
    }

    /// What happens to all pages of the list of chats, until [`FakeDoubleTick::heal`].
    pub fn fail_lists(&self, fault: DoubleTickFault) {
        self.shared.lock().script.of(Kind::List).standing = Some(fault);
    }

    /// The same of the details of customers.
    pub fn fail_details(&self, fault: DoubleTickFault) {
        self.shared.lock().script.of(Kind::Details).standing = Some(fault);
    }

    /// Ends all faults, also those of calls that have not come.
    pub fn heal(&self) {
        self.shared.lock().script = Script::default();
    }

    /// Runs `act` when the next page of the list is made and not yet answered. Call it again for the one after.
    pub fn after_next_list(&self, act: impl FnOnce(&Self) + Send + 'static) {
        self.shared.lock().after_lists.push_back(Box::new(act));
    }

    /// From now on no event arrives.
    pub fn swallow_events(&self) {
        self.shared.lock().fate = Fate::Swallowed;
    }

    /// From now on events wait, until [`FakeDoubleTick::deliver_events`].
    pub fn hold_events(&self) {
        self.shared.lock().fate = Fate::Held;
    }

    /// Sends what was held, in its order, and from now on all events at once. What was swallowed stays lost.
    pub fn deliver_events(&self) {
        let mut state = self.shared.lock();
        state.fate = Fate::Delivered;
        let held = std::mem::take(&mut state.held);
        drop(state);
        held.iter().for_each(|event| self.send(event));
    }
}

/// What people do. Each returns when the event has been answered, or is not to arrive.
impl FakeDoubleTick {
    /// A patient writes for the first time, and nobody looks after it yet. Numbers with or without a `+`.
    pub fn chat_arrives(&self, id: &str, name: &str, phone: &str, number: &str) {
        self.arrive(Party::Customer, id, name, Some(digits(phone)), number);
    }

    /// The same of a group, which has no number.
    pub fn group_arrives(&self, id: &str, name: &str, number: &str) {
        self.arrive(Party::Group, id, name, None, number);
    }

    /// The same of somebody on Instagram, who has no number; and the clinic has its handle there.
    pub fn instagram_chat_arrives(&self, id: &str, name: &str, handle: &str) {
        self.arrive(Party::Instagram, id, name, None, handle);
    }

    /// Also where somebody else has it.
    pub fn assign(&self, id: &str, agent: &str, phone: &str) {
        let agent = Agent { name: agent.to_owned(), phone: digits(phone) };
        let change = |chat: &mut Chat| (chat.agent, chat.unread) = (Some(agent), 0);
        let (_, chat) = self.shared.lock().inbox.change(id, change);
        self.tell(Event::assigned(&chat));
    }

    /// The chat loses its agent.
    pub fn unassign(&self, id: &str) {
        let event = self.lose_agent(id);
        self.tell(Some(event));
    }

    /// The same, so many minutes ago as the event says: the help centre promises a time, and the reference has
    /// none.
    pub fn unassign_dated(&self, id: &str, minutes_ago: i64) {
        let event = self.lose_agent(id);
        self.tell(Some(event.dated(Timestamp::now().as_millisecond() - minutes_ago * 60_000)));
    }

    fn lose_agent(&self, id: &str) -> Event {
        let (before, chat) = self.shared.lock().inbox.change(id, |chat| chat.agent = None);
        assert!(before.agent.is_some(), "nobody has the chat");
        Event::unassigned(&chat)
    }

    /// It is marked as done, and who had it still has it.
    pub fn close(&self, id: &str) {
        let close = |chat: &mut Chat| (chat.is_done, chat.unread) = (true, 0);
        let (_, chat) = self.shared.lock().inbox.change(id, close);
        self.tell(Event::closed(&chat));
    }

    /// The patient writes again; what was done is open again.
    pub fn writes_again(&self, id: &str) {
        let write = |chat: &mut Chat| (chat.is_done, chat.unread) = (false, chat.unread + 1);
        let (before, chat) = self.shared.lock().inbox.change(id, write);
        self.tell(Event::opened(&chat).filter(|_| before.is_done));
    }

    /// The chats that nobody has and that are not done, in the order in which they arrived.
    pub fn waiting(&self) -> Vec<String> {
        self.shared.lock().inbox.waiting()
    }

    fn arrive(&self, party: Party, id: &str, name: &str, phone: Option<String>, channel: &str) {
        let chat = Chat {
            id: id.to_owned(),
            party,
            name: name.to_owned(),
            phone,
            channel: digits(channel),
            agent: None,
            is_done: false,
            unread: 1,
            updated_ms: 0,
            last_message_ms: 0,
        };
        let chat = self.shared.lock().inbox.arrive(chat);
        self.tell(Event::opened(&chat));
    }

    /// A program takes a chat from its agent, by the patient's number.
    fn unassigned_by_program(&self, body: &[u8]) -> (u16, String) {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let phone = asked["customerPhoneNumber"].as_str().map(digits);
        let chat = phone.and_then(|phone| self.shared.lock().inbox.looked_after(&phone));
        match chat {
            Some(chat) => {
                self.unassign(&chat);
                (201, json!({ "success": true }).to_string())
            }
            None => (400, bad_request().1.to_string()),
        }
    }

    fn tell(&self, event: Option<Event>) {
        let Some(event) = event else { return };
        let mut state = self.shared.lock();
        match state.fate {
            Fate::Swallowed => {}
            Fate::Held => state.held.push(event),
            Fate::Delivered => {
                drop(state);
                self.send(&event);
            }
        }
    }

    /// Once to each webhook that is for it. Who does not take it does not get it again.
    fn send(&self, event: &Event) {
        let addresses = self.shared.lock().registration.addresses(event.name, &event.channel);
        for url in addresses {
            drop(call("POST", &url, None, &event.body.to_string()));
        }
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|item| (*item).to_owned()).collect()
}

fn bad_request() -> (u16, Value) {
    (400, json!({ "statusCode": 400, "message": "Bad Request", "error": "Error Text" }))
}

/// Serves on a thread of its own until the handle says stop.
fn serve(listener: TcpListener, shared: Arc<Shared>) -> ServerHandle {
    let (tell, told) = mpsc::channel();
    let serve = move || {
        System::new().block_on(async move {
            let app = move || {
                let shared = web::Data::from(Arc::clone(&shared));
                App::new().app_data(shared).default_service(web::to(answer))
            };
            let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0);
            let server = server.listen(listener).expect("a bound socket can be listened on");
            let server = server.run();
            tell.send(server.handle()).expect("the starter waits for the handle");
            server.await
        })
    };
    std::thread::Builder::new()
        .name("fake-doubletick".to_owned())
        .spawn(serve)
        .expect("a thread can be started");
    told.recv().expect("the server starts")
}

async fn answer(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let shared = shared.into_inner();
    let key = request.headers().get("authorization").and_then(|key| key.to_str().ok());
    if key != Some(KEY) {
        let refused = json!({ "statusCode": 401, "message": "Invalid public api key" });
        return HttpResponse::Unauthorized().json(refused);
    }
    let kind = Kind::of(request.path());
    let (fault, act) = {
        let mut state = shared.lock();
        state.requests.push(format!("{} {}", request.method(), request.uri()));
        let act = if kind == Kind::List { state.after_lists.pop_front() } else { None };
        (state.script.of(kind).take(), act)
    };
    if let DoubleTickFault::Slow(how_long) = fault {
        time::sleep(how_long).await;
    }
    let inside = FakeDoubleTick { shared: Arc::clone(&shared), _running: None };
    let (status, text) = match (request.method().as_str(), request.path()) {
        ("POST", "/team-member/unassign") => inside.unassigned_by_program(&body),
        _ => answered(&request, &body, &shared, fault),
    };
    if let Some(act) = act {
        act(&inside);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status).content_type("application/json").body(text)
}

/// Status and body.
fn answered(
    request: &HttpRequest,
    body: &[u8],
    shared: &Shared,
    fault: DoubleTickFault,
) -> (u16, String) {
    use DoubleTickFault as Fault;
    let kind = Kind::of(request.path());
    let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    let mut query = query.map(web::Query::into_inner).unwrap_or_default();
    if fault == Fault::FirstPageAgain {
        query.retain(|(name, _)| !name.starts_with("nextChat"));
    }
    let mut state = shared.lock();
    let state = &mut *state;
    let mut right = || match kind {
        Kind::List if fault == Fault::EndlessPage => state.inbox.endless_page(),
        Kind::List => state.inbox.list(&query, fault != Fault::FiltersIgnored),
        Kind::Details => state.inbox.details(&query),
        Kind::Registration => {
            let asked = serde_json::from_slice(body).unwrap_or_default();
            state.registration.answer(request.method().as_str(), request.path(), &asked)
        }
    };
    let (status, answer) = match fault {
        Fault::Status(status) => (status, json!({ "statusCode": status })),
        Fault::Says(status, text) => return (status, text.to_owned()),
        Fault::DoneAnd502 => {
            right();
            (502, json!({}))
        }
        Fault::ErrorInside => (200, bad_request().1),
        Fault::WrongTypes => (200, kind.nonsense()),
        Fault::Cut => {
            let text = right().1.to_string();
            let half = text.chars().take(text.chars().count() / 2).collect();
            return (200, half);
        }
        Fault::FirstPageAgain => {
            let (status, mut page) = right();
            // Where all fits on one page, too.
            if page["paginationOptions"]["hasMoreChats"] == false {
                page["paginationOptions"] =
                    json!({ "hasMoreChats": true, "nextChatId": "chat_0", "nextChatTimestamp": 1 });
            }
            (status, page)
        }
        Fault::Nothing | Fault::Slow(_) | Fault::EndlessPage | Fault::FiltersIgnored => right(),
    };
    (status, answer.to_string())
}
