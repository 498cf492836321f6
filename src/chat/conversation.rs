//! A [`Conversation`]: by what a customer's chat is told where nothing names the chat.

use smol_str::SmolStr;

use crate::chat::text::phone_digits;
use crate::chat::waiting::Wait;

/// Of which customer on which of the clinic's numbers, in digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conversation {
    /// The customer's phone.
    pub customer: SmolStr,
    /// The clinic's number.
    pub waba_line: SmolStr,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Conversation(<personal>)")
    }
}

impl Conversation {
    /// `None` where either is no phone number: one on Instagram, or a group.
    pub fn of(customer_phone: &str, waba_number: &str) -> Option<Self> {
        let digits = |text: &str| Some(phone_digits(text)).filter(|digits| !digits.is_empty());
        Some(Self { customer: digits(customer_phone)?, waba_line: digits(waba_number)? })
    }

    /// That of a wait; `None` where it cannot be found in a list.
    pub fn of_wait(wait: &Wait) -> Option<Self> {
        let (customer, waba_line) =
            (wait.entry.customer_phone.digits(), wait.entry.waba_number.digits());
        let is_told = !customer.is_empty() && !waba_line.is_empty();
        is_told.then_some(Self { customer, waba_line })
    }
}
