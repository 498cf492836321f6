//! Copies that people make of a tab or of the whole spreadsheet.
//!
//! What becomes of developer metadata in them is not documented, so it is for the test to say.

use serde_json::{Value, json};

use crate::staff::Staff;

impl Staff<'_> {
    /// Duplicate: a tab of the same content under an id of its own, right of the first. Metadata that is
    /// copied gets ids of its own too.
    pub fn duplicate_tab(&self, title: &str, new_title: &str, with_metadata: bool) {
        self.edit(title, |book, at| {
            let old = &book.tabs[at];
            let mut tab = old.copy(fastrand::i32(1..).into());
            new_title.clone_into(&mut tab.shape.title);
            for protection in &mut tab.shape.protections {
                protection.rule["protectedRangeId"] = fastrand::i32(1..).into();
            }
            let copies = book.metadata.iter().filter(|it| it.place.sheet() == Some(old.id));
            let copies: Vec<_> = copies
                .map(|metadata| {
                    let mut copy = metadata.clone();
                    copy.id = fastrand::i32(1..).into();
                    copy.place = copy.place.on(tab.id);
                    copy
                })
                .collect();
            book.tabs.insert(at + 1, tab);
            book.metadata.extend(copies.into_iter().filter(|_| with_metadata));
        });
    }

    /// File > Make a copy: a spreadsheet of the same tabs under the same tab ids, shared with the same
    /// people. Metadata that is copied keeps its ids.
    pub fn copy_spreadsheet(&self, new_id: &str, with_metadata: bool) {
        let mut state = self.google.shared.lock();
        let mut copy = state.books[&self.google.spreadsheet].copy(new_id);
        if !with_metadata {
            copy.metadata.clear();
        }
        let title = copy.properties.get("title").and_then(Value::as_str).unwrap_or_default();
        let title = json!(format!("Copy of {title}"));
        copy.properties.insert("title".to_owned(), title);
        state.books.insert(new_id.to_owned(), copy);
    }
}
