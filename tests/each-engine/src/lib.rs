//! One attribute: a test of the journal, written once, becomes a test over each engine.
//!
//! ```text
//! #[each_engine]
//! async fn nothing_pending_is_no_batch(place: Place) { … }
//! ```
//!
//! is run as `nothing_pending_is_no_batch::sqlite` and as `nothing_pending_is_no_batch::postgres`, each time
//! with an empty place of that engine. Where PostgreSQL is not installed the latter says so and does nothing.

use proc_macro::{TokenStream, TokenTree};

/// See the crate.
///
/// # Panics
/// When it stands on something else than a function.
#[proc_macro_attribute]
pub fn each_engine(_: TokenStream, function: TokenStream) -> TokenStream {
    let words: Vec<String> = function.clone().into_iter().map_while(word).collect();
    let name = words.iter().skip_while(|word| *word != "fn").nth(1).expect("it is a function");
    let is_async = words.iter().any(|word| word == "async");
    let (attribute, word, end) =
        if is_async { ("::tokio::test", "async", ".await") } else { ("test", "", "") };
    let place = "crate::journal::tests::engine::Place";
    let tests = format!(
        "mod {name} {{
            #[{attribute}]
            {word} fn sqlite() {{
                super::{name}({place}::sqlite()){end};
            }}
            #[{attribute}]
            {word} fn postgres() {{
                if let Some(place) = {place}::postgres() {{
                    super::{name}(place){end};
                }}
            }}
        }}"
    );
    let tests: TokenStream = tests.parse().expect("it is Rust");
    [function, tests].into_iter().collect()
}

/// What stands before the arguments of a function, a word at a time.
fn word(token: TokenTree) -> Option<String> {
    let text = token.to_string();
    (!text.starts_with('(')).then_some(text)
}
