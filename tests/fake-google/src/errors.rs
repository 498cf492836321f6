//! What Google answers when it does not answer 200, word for word.

use serde_json::{Value, json};

const PROJECT: &str = "675429720490";

/// An answer that is not 2xx.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// The request breaks Google's description: the caller has a bug, whatever its test says.
    pub(crate) malformed: bool,
}

impl Refused {
    pub(crate) fn new(code: u16, status: &str, message: &str) -> Self {
        Self::with_details(code, status, message, Value::Null)
    }

    fn with_details(code: u16, status: &str, message: &str, details: Value) -> Self {
        let mut error = json!({ "code": code, "message": message, "status": status });
        if !details.is_null() {
            error["details"] = details;
        }
        Self::json(code, &json!({ "error": error }))
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/json; charset=UTF-8",
            headers: Vec::new(),
            body: format!("{body:#}"),
            malformed: false,
        }
    }

    pub(crate) fn invalid(message: &str) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    /// The body or the query does not fit Google's description of the method.
    pub(crate) fn malformed(message: &str, field: &str) -> Self {
        let violation = if field.is_empty() {
            json!({ "description": message })
        } else {
            json!({ "field": field, "description": message })
        };
        Self::violation(message, &violation)
    }

    /// A response mask that names no field; the cause stands in the details only.
    pub(crate) fn unknown_mask_path(mask: &str, path: &str) -> Self {
        let description = format!(
            "Error expanding 'fields' parameter. Cannot find matching fields for path '{path}'."
        );
        Self::violation(
            "Request contains an invalid argument.",
            &json!({ "field": mask, "description": description }),
        )
    }

    fn violation(message: &str, violation: &Value) -> Self {
        let details = json!([{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [violation],
        }]);
        let refused = Self::with_details(400, "INVALID_ARGUMENT", message, details);
        Self { malformed: true, ..refused }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "Requested entity was not found.")
    }

    pub(crate) fn unauthenticated() -> Self {
        let mut refused = Self::new(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login \
             cookie or other valid authentication credential. See \
             https://developers.google.com/identity/sign-in/web/devconsole-project.",
        );
        let challenge = r#"Bearer realm="https://accounts.google.com/", error="invalid_token""#;
        refused.headers.push(("www-authenticate", challenge.to_owned()));
        refused
    }

    pub(crate) fn internal() -> Self {
        Self::new(500, "INTERNAL", "Internal error encountered.")
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(503, "UNAVAILABLE", "The service is currently unavailable.")
    }

    pub(crate) fn not_shared() -> Self {
        Self::new(403, "PERMISSION_DENIED", "The caller does not have permission")
    }

    pub(crate) fn api_disabled() -> Self {
        let console = format!(
            "https://console.developers.google.com/apis/api/sheets.googleapis.com/overview?project={PROJECT}"
        );
        let message = format!(
            "Google Sheets API has not been used in project {PROJECT} before or it is disabled. Enable \
             it by visiting {console} then retry. If you enabled this API recently, wait a few minutes \
             for the action to propagate to our systems and retry."
        );
        let details = json!([
            { "@type": "type.googleapis.com/google.rpc.Help",
              "links": [{ "description": "Google developers console API activation", "url": console }] },
            { "@type": "type.googleapis.com/google.rpc.ErrorInfo",
              "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
              "metadata": { "consumer": format!("projects/{PROJECT}"), "service": "sheets.googleapis.com" } },
        ]);
        Self::with_details(403, "PERMISSION_DENIED", &message, details)
    }

    /// `kind` is `Write` or `Read`. Google sends no Retry-After with it.
    pub(crate) fn quota(kind: &str, limit: u32) -> Self {
        let message = format!(
            "Quota exceeded for quota metric '{kind} requests' and limit '{kind} requests per minute \
             per user' of service 'sheets.googleapis.com' for consumer 'project_number:{PROJECT}'."
        );
        let details = json!([
            { "@type": "type.googleapis.com/google.rpc.ErrorInfo",
              "reason": "RATE_LIMIT_EXCEEDED", "domain": "googleapis.com",
              "metadata": {
                  "quota_location": "global", "service": "sheets.googleapis.com",
                  "quota_limit_value": limit.to_string(),
                  "quota_limit": format!("{kind}RequestsPerMinutePerUser"),
                  "consumer": format!("projects/{PROJECT}"),
                  "quota_metric": format!("sheets.googleapis.com/{}_requests", kind.to_lowercase()),
              } },
            { "@type": "type.googleapis.com/google.rpc.Help",
              "links": [{ "description": "Request a higher quota limit.",
                          "url": "https://cloud.google.com/docs/quota#requesting_higher_quota" }] },
        ]);
        Self::with_details(429, "RESOURCE_EXHAUSTED", &message, details)
    }

    pub(crate) fn html(status: u16) -> Self {
        let body = format!(
            "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<title>Error {status} (Server \
             Error)!!1</title>\n<p><b>{status}.</b> <ins>That’s an error.</ins>\n<p>The server \
             encountered a temporary error and could not complete your request.<p>Please try again in \
             30 seconds. <ins>That’s all we know.</ins>\n"
        );
        Self {
            status,
            content_type: "text/html; charset=UTF-8",
            headers: Vec::new(),
            body,
            malformed: false,
        }
    }
}

pub(crate) const PROTECTED: &str = "You are trying to edit a protected cell or object. Please contact \
                                    the spreadsheet owner to remove protection if you need to edit.";
pub(crate) const TOO_MANY_CELLS: &str = "This action would increase the number of cells in the workbook \
                                         above the limit of 20000000 cells.";
pub(crate) const CELL_TOO_LONG: &str =
    "Your input contains more than the maximum of 50000 characters in a single cell.";
pub(crate) const METADATA_FULL: &str =
    "Adding the requested developer metadata would exceed the allowed storage limit";
pub(crate) const NO_FIELDS: &str =
    "At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)";
pub(crate) const TYPED_COLUMN: &str = "This operation is not allowed on cells in typed columns.";
pub(crate) const NOT_A_SHEET: &str = "This operation is not supported for this document";

pub(crate) fn no_grid(sheet: i64) -> String {
    format!("No grid with id: {sheet}")
}
