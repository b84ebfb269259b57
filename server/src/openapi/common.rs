//! What all operations have in common: how they are authorised, what their errors look like, and the errors that
//! any of them can answer. Handlers document what is particular to them.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::Modify;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, Content, ContentBuilder, OpenApi, PathItem, Ref, RefOr, Required, Response, ResponseBuilder,
    Schema,
};

use crate::error::ErrorKind;

/// Where the schema of errors is.
const ERROR: &str = "#/components/schemas/Error";

/// The errors that mean the same wherever they are answered: status, name and meaning.
const SHARED: &[(&str, &str, &str)] = &[
    (
        "400",
        "BadRequest",
        "A parameter is missing or malformed; the message names it and says what was wanted",
    ),
    ("401", "Unauthorized", "No token, or one that is expired, revoked or not the server's"),
    ("403", "Forbidden", "The user has no such right on the experiment"),
    ("404", "NotFound", "No such experiment, or no such thing within it"),
    ("408", "RequestTimeout", "The client fell silent before its request was complete"),
    ("409", "Conflict", "The name is taken, or the state does not allow it"),
    ("413", "PayloadTooLarge", "The body is larger than the server accepts"),
    ("429", "TooManyRequests", "Too many failed logins; `Retry-After` says how long to wait"),
    ("500", "InternalServerError", "The server's fault; its log has the cause"),
    (
        "503",
        "ServiceUnavailable",
        "The server is stopping, or has too much to do; try again after `Retry-After`",
    ),
    ("507", "InsufficientStorage", "No space left on the server; nothing was stored"),
];

/// Completes the document.
pub struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        add_schemes(components);
        components.schemas.insert("Error".to_owned(), error_schema().into());
        for (_, name, meaning) in SHARED {
            components.responses.insert((*name).to_owned(), error_response(*meaning).into());
        }
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                complete(path, operation);
                if let Some(RefOr::T(body)) = &mut operation.request_body
                    && body.content.values().all(|content| may_be_left_out(&components.schemas, content))
                {
                    body.required = Some(Required::False);
                }
            }
        }
    }
}

/// Whether a body has no field that must be there: then it need not be there itself.
fn may_be_left_out(schemas: &BTreeMap<String, RefOr<Schema>>, content: &RefOr<Content>) -> bool {
    let RefOr::T(Content { schema: Some(RefOr::Ref(reference)), .. }) = content else { return false };
    let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
    matches!(schemas.get(name), Some(RefOr::T(Schema::Object(object))) if object.required.is_empty())
}

fn add_schemes(components: &mut Components) {
    let header = "`JWT <token>`, as clients of TissueMAPS send it, with a token from `POST /auth`";
    let header = ApiKeyValue::with_description("Authorization", header);
    components.add_security_scheme("token", SecurityScheme::ApiKey(ApiKey::Header(header)));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("`Bearer <token>` with a token from `POST /auth`"));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let cookie = "Set by `POST /auth`, for images in web pages; counts for tiles alone";
    let cookie = ApiKeyValue::with_description("tmserver_token", cookie);
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
}

/// The envelope of errors.
fn error_schema() -> Schema {
    let text =
        |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    let status = || ObjectBuilder::new().schema_type(Type::Integer).description(Some("The HTTP status"));
    let kinds = ErrorKind::ALL.iter().map(|kind| kind.name());
    let error = ObjectBuilder::new()
        .property("error", ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])))
        .required("error")
        .property("message", text("What was wrong, for a person"))
        .required("message")
        .property("status_code", status())
        .required("status_code")
        .property("type", text("What kind of error it is, for a program").enum_values(Some(kinds)))
        .required("type");
    ObjectBuilder::new()
        .description(Some("Every error, whoever raises it."))
        .property("error", error)
        .required("error")
        .property("status_code", status().description(Some("The HTTP status again; with 401 alone")))
        .property("description", text("The message again; with 401 alone"))
        .examples([json!({
            "error": {
                "error": true,
                "message": "plate 17 not found",
                "status_code": 404,
                "type": ErrorKind::ResourceNotFound.name(),
            }
        })])
        .into()
}

fn error_response(meaning: impl Into<String>) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::new(ERROR))).build();
    ResponseBuilder::new().description(meaning).content("application/json", content).build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, .. } = item;
    [get, put, post, delete].into_iter().flatten()
}

/// Give an operation the errors that follow from what it is, and every error its body.
fn complete(path: &str, operation: &mut Operation) {
    let is_open =
        operation.security.as_ref().is_some_and(|ways| ways.iter().all(|way| *way == Default::default()));
    let parameters = operation.parameters.get_or_insert_default();
    let takes = |kind| parameters.iter().any(|one| matches!(one, RefOr::T(one) if one.parameter_in == kind));
    let (has_query, has_path, has_body) =
        (takes(ParameterIn::Query), takes(ParameterIn::Path), operation.request_body.is_some());
    for parameter in parameters.iter_mut() {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Path
            && parameter.name.ends_with("_id")
        {
            parameter.description.get_or_insert("Id, as the API gave it".to_owned());
        }
    }
    let answers = &mut operation.responses.responses;
    let mut may_answer = |status: &str, does: bool| {
        if does && !answers.contains_key(status) {
            answers.insert(status.to_owned(), ResponseBuilder::new().build().into());
        }
    };
    may_answer("400", has_query || has_body);
    may_answer("401", !is_open);
    may_answer("403", path.contains("{experiment_id}"));
    may_answer("404", has_path);
    may_answer("408", has_body);
    may_answer("413", has_body);
    may_answer("500", true);
    may_answer("503", true);
    for (status, answer) in answers {
        let RefOr::T(given) = answer else { continue };
        if status.starts_with('2') && given.description.is_empty() {
            given.description = "Success".to_owned();
        }
        if !status.starts_with(['4', '5']) || !given.content.is_empty() {
            continue;
        }
        let shared = SHARED.iter().find(|(shared, ..)| shared == status);
        *answer = match shared {
            Some((_, name, _)) if given.description.is_empty() => Ref::from_response_name(*name).into(),
            _ => error_response(given.description.clone()).into(),
        };
    }
}
