//! The account's channels, and the webhooks that are registered for them.
//!
//! As documented, and as seen of it: registering adds a webhook even where the same one exists, lists are
//! answered with 201, numbers are shown without a `+`, and neither the method nor the choice to be called
//! again after a timeout is shown.

use serde_json::{Value, json};

use crate::doubletick::bad_request;

#[derive(Debug, Default)]
pub(super) struct Registration {
    /// Of the channels, in digits.
    pub(super) numbers: Vec<String>,
    /// Those of them that take no webhooks.
    pub(super) refused: Vec<String>,
    pub(super) webhooks: Vec<Value>,
    made: usize,
}

impl Registration {
    pub(super) fn add(&mut self, asked: &Value, numbers: &[String], id: Option<&str>) {
        let id = id.map_or_else(
            || {
                self.made += 1;
                format!("webhook_{}", self.made)
            },
            str::to_owned,
        );
        let webhook = json!({
            "webhookId": id, "url": asked["url"], "eventTypes": asked["webhookEvents"],
            "wabaNumbers": numbers, "integrationCount": 1, "createdBy": "admin",
            "name": asked["name"], "retryOnTimeout": asked["retryOnTimeout"],
        });
        match self.webhooks.iter_mut().find(|known| known["webhookId"] == id) {
            Some(known) => *known = webhook,
            None => self.webhooks.push(webhook),
        }
    }

    /// The addresses that get this event of this channel, one for each webhook.
    pub(super) fn addresses(&self, event: &str, channel: &str) -> Vec<String> {
        let has = |list: &Value, item: &str| {
            list.as_array().is_some_and(|list| list.iter().any(|it| it == item))
        };
        // Whether webhooks are for Instagram's channels too is not documented; here they are.
        let is_number = channel.bytes().all(|byte| byte.is_ascii_digit());
        let takes = |webhook: &&Value| {
            let is_of_it = !is_number || has(&webhook["wabaNumbers"], channel);
            is_of_it && has(&webhook["eventTypes"], event)
        };
        let taking = self.webhooks.iter().filter(takes);
        taking.filter_map(|webhook| webhook["url"].as_str().map(str::to_owned)).collect()
    }

    /// Registers, or edits the webhook of that id.
    fn register(&mut self, asked: &Value, id: Option<&str>) -> (u16, Value) {
        let texts = |name: &str| -> Option<Vec<String>> {
            let items = asked[name].as_array()?.iter();
            items.map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let (Some(events), Some(numbers)) = (texts("webhookEvents"), texts("wabaNumbers")) else {
            return bad_request();
        };
        let is_known = |id: &str| self.webhooks.iter().any(|known| known["webhookId"] == id);
        let is_whole = ["url", "method", "name"].iter().all(|name| asked[*name].is_string());
        let is_long = |number: &String| (10..=15).contains(&number.len());
        if !is_whole || !numbers.iter().all(is_long) || id.is_some_and(|id| !is_known(id)) {
            return bad_request();
        }
        let digits = |number: &String| number.trim_start_matches('+').to_owned();
        let (bad, good): (Vec<String>, Vec<String>) = numbers
            .iter()
            .map(digits)
            .partition(|number| self.refused.contains(number) || !self.numbers.contains(number));
        self.add(asked, &good, id);
        let pair = |number: &String, event: &String| json!({ "wabaNumber": number, "webhookEventType": event });
        let valid: Vec<Value> = good
            .iter()
            .flat_map(|number| events.iter().map(move |event| pair(number, event)))
            .collect();
        (201, json!({ "validWebhooks": valid, "invalidWebhooks": [], "invalidWabaNumbers": bad }))
    }

    pub(super) fn answer(&mut self, method: &str, path: &str, asked: &Value) -> (u16, Value) {
        match (method, path) {
            ("GET", "/organization/channel/profile") => {
                let mut channels: Vec<Value> = self
                    .numbers
                    .iter()
                    .map(|number| json!({ "channelId": "intg_1", "wabaNumber": number, "status": "CONNECTED" }))
                    .collect();
                // One that has no number yet.
                channels
                    .push(json!({ "channelId": "intg_2", "wabaNumber": null, "profile": null }));
                (200, json!({ "count": channels.len(), "channels": channels }))
            }
            ("GET", "/v2/webhooks") => {
                let mut shown = self.webhooks.clone();
                shown.iter_mut().filter_map(Value::as_object_mut).for_each(|webhook| {
                    webhook.remove("retryOnTimeout");
                });
                (201, Value::Array(shown))
            }
            ("POST", "/v2/webhook/register") => self.register(asked, None),
            ("DELETE", "/v2/webhook/deregister") => {
                self.webhooks.retain(|webhook| webhook["webhookId"] != asked["webhookId"]);
                (201, json!({}))
            }
            ("POST", path) if let Some(id) = path.strip_prefix("/v2/webhook/") => {
                self.register(asked, Some(id))
            }
            _ => (404, json!({ "statusCode": 404, "message": "Not Found" })),
        }
    }
}
