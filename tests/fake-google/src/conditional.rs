//! Conditional formats: which rule a cell falls under, of those that need no formula.

use serde_json::Value;

use crate::book::tabs::Tab;
use crate::grid::cell::Entered;

/// The format of the first rule that holds for the cell there, which comes to this and shows that.
pub(crate) fn format(tab: &Tab, place: (usize, usize), result: &Entered, text: &str) -> Value {
    let rule = tab.shape.conditionals.iter().find(|rule| {
        rule["ranges"].as_array().is_some_and(|ranges| ranges.iter().any(|it| covers(it, place)))
            && holds(&rule["booleanRule"]["condition"], result, text)
    });
    rule.map_or(Value::Null, |rule| rule["booleanRule"]["format"].clone())
}

fn covers(range: &Value, (row, column): (usize, usize)) -> bool {
    let within = |at: usize, first: &str, last: &str| {
        let edge = |name: &str| range[name].as_u64().and_then(|edge| usize::try_from(edge).ok());
        edge(first).is_none_or(|start| at >= start) && edge(last).is_none_or(|end| at < end)
    };
    within(row, "startRowIndex", "endRowIndex")
        && within(column, "startColumnIndex", "endColumnIndex")
}

fn holds(condition: &Value, result: &Entered, text: &str) -> bool {
    let kind = condition["type"].as_str().unwrap_or_default();
    let value = |at: usize| condition["values"][at]["userEnteredValue"].as_str();
    if kind.starts_with("NUMBER_") {
        let number = |at: usize| value(at).and_then(bound);
        // Text is neither more nor less than a number, and a blank is not 0 here.
        let (Entered::Number(found), Some(first)) = (result, number(0)) else { return false };
        return match kind {
            "NUMBER_GREATER" => *found > first,
            "NUMBER_GREATER_THAN_EQ" => *found >= first,
            "NUMBER_LESS" => *found < first,
            "NUMBER_LESS_THAN_EQ" => *found <= first,
            "NUMBER_BETWEEN" => number(1).is_some_and(|last| (first..=last).contains(found)),
            _ => false,
        };
    }
    let (text, value) = (text.to_lowercase(), value(0).unwrap_or_default().to_lowercase());
    match kind {
        "TEXT_EQ" => text == value,
        "TEXT_CONTAINS" => text.contains(&value),
        "TEXT_STARTS_WITH" => text.starts_with(&value),
        "BLANK" => text.is_empty(),
        "NOT_BLANK" => !text.is_empty(),
        _ => false,
    }
}

/// A bound as people type it: a number, or the quotient of two.
fn bound(text: &str) -> Option<f64> {
    let text = text.strip_prefix('=').unwrap_or(text);
    match text.split_once('/') {
        Some((above, below)) => Some(above.parse::<f64>().ok()? / below.parse::<f64>().ok()?),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::holds;
    use crate::grid::cell::Entered;

    #[test]
    fn numbers_are_held_against_their_bounds_and_nothing_else_is() {
        let minutes = |minutes: f64| Entered::Number(minutes / 1_440.0);
        let check = |kind: &str, bounds: &[&str], found: &Entered| {
            let bound = |text: &&str| json!({ "userEnteredValue": text });
            let values: Vec<_> = bounds.iter().map(bound).collect();
            holds(&json!({ "type": kind, "values": values }), found, "")
        };
        let quarter = ["0.0104166"];
        assert!(check("NUMBER_GREATER", &quarter, &minutes(15.5)));
        assert!(!check("NUMBER_GREATER", &quarter, &minutes(14.5)));
        assert!(check("NUMBER_GREATER_THAN_EQ", &["0.5"], &minutes(720.0)));
        assert!(check("NUMBER_BETWEEN", &["0.01", "0.02"], &minutes(20.0)));
        assert!(!check("NUMBER_BETWEEN", &["0.01", "0.02"], &minutes(30.0)));
        assert!(!check("NUMBER_LESS", &quarter, &Entered::Nothing));
        assert!(!check("NUMBER_GREATER", &quarter, &Entered::Text("99".into())));
        assert!(check("NUMBER_GREATER", &["=15/1440"], &minutes(15.5)));
        assert!(!check("NUMBER_GREATER", &["=15/1440"], &minutes(14.5)));
        assert!(!check("CUSTOM_FORMULA", &["=TRUE"], &minutes(20.0)));
    }
}
