//! What axe-core finds: contrast, labels, roles, structure, size of targets. The library stands beside this crate as
//! it was published (`axe/`, under the Mozilla Public License 2.0) and is no part of the service.

use serde_json::Value;

const LIBRARY: &str = include_str!("../axe/axe.min.js");

/// Looks through the page, and gives a line for each thing that is wrong or that it cannot tell.
const LOOK: &str = "
    axe.configure({ checks: [{ id: 'color-contrast', options: {
        // The number or the tick that is drawn before an item lies beside its text.
        ignorePseudo: true,
        ignoreUnicode: true, ignoreLength: false, boldValue: 700, boldTextPt: 14, largeTextPt: 18,
        contrastRatio: { normal: { expected: 4.5 }, large: { expected: 3 } },
        pseudoSizeThreshold: 0.25, shadowOutlineEmMax: 0.2, textStrokeEmMin: 0.03,
    } }] });
    const line = (rule, node) => `${rule.id}: ${node.html}: ${node.failureSummary}`;
    return axe.run(document, { rules: { 'target-size': { enabled: true } } }).then((found) =>
        [...found.violations, ...found.incomplete].flatMap((rule) =>
            rule.nodes.map((node) => line(rule, node))));";

pub(crate) fn script() -> String {
    format!("{LIBRARY};{LOOK}")
}

/// Those lines.
pub(crate) fn findings(found: &Value) -> Vec<String> {
    let lines = found.as_array().expect("axe gives a list");
    lines.iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
}
