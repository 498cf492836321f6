//! What can be made to go wrong at DoubleTick, and with which calls.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubleTickFault {
    /// None: it goes through.
    Nothing,
    /// Nothing is done.
    Status(u16),
    /// Nothing is done; the answer has this body.
    Says(u16, &'static str),
    /// It is done, and the answer says that it was not.
    DoneAnd502,
    /// 200 with an error inside; nothing is done.
    ErrorInside,
    /// A 200 of which the types are not the documented ones.
    WrongTypes,
    /// The answer ends in the middle.
    Cut,
    /// It is done and answered after so long.
    Slow(Duration),
    /// Of the list of chats: the first page, whichever was asked for, and there is more.
    FirstPageAgain,
    /// Of the list of chats: a page of chats that nobody has heard of, and there is more.
    EndlessPage,
    /// Of the list of chats: all of them, whatever was asked for.
    FiltersIgnored,
}

/// What is asked for, as far as its faults are apart from others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Registration,
    List,
    Details,
}

impl Kind {
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/chats" => Self::List,
            "/customer/details" => Self::Details,
            _ => Self::Registration,
        }
    }

    /// An answer that fits none of the documented types.
    pub(super) fn nonsense(self) -> Value {
        match self {
            Self::Registration => json!([
                { "webhookId": 7, "url": null, "eventTypes": "ALL", "wabaNumbers": {} }
            ]),
            Self::List => json!({
                "chats": [{ "chatType": 1, "phoneNumber": 919_111_222_333_u64, "wabaNumber": [],
                            "isDone": "no", "assignedUserName": {}, "chatUpdatedTime": "yesterday" }],
                "paginationOptions": { "hasMoreChats": "no", "nextChatId": 7 },
            }),
            Self::Details => json!({ "customer": [{ "name": 7 }] }),
        }
    }
}

/// The faults of one kind of call.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Of the next calls, one each.
    pub(super) next: VecDeque<DoubleTickFault>,
    /// Of all calls after those.
    pub(super) standing: Option<DoubleTickFault>,
}

impl Faults {
    pub(super) fn take(&mut self) -> DoubleTickFault {
        self.next.pop_front().or(self.standing).unwrap_or(DoubleTickFault::Nothing)
    }
}

#[derive(Debug, Default)]
pub(super) struct Script {
    registration: Faults,
    lists: Faults,
    details: Faults,
}

impl Script {
    pub(super) fn of(&mut self, kind: Kind) -> &mut Faults {
        match kind {
            Kind::Registration => &mut self.registration,
            Kind::List => &mut self.lists,
            Kind::Details => &mut self.details,
        }
    }
}
