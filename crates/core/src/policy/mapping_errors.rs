//! Errors of mapping expressions in plain words, with the remedy: those of the parser name its tokens, and an attribute that no record
//! has is an error only to the admin who meant another one.

use crate::spelling::did_you_mean;
use cel::common::ast::operators::{INDEX, OPT_INDEX, OPT_SELECT};
use cel::common::ast::{Expr, IdedExpr, LiteralValue};

/// The variable that holds the record.
pub(super) const USER: &str = "user";

/// A problem, with the id of its node.
pub(super) type Refusal = (u64, String);

/// The attributes of a record that every source may have; those of an extension stand below its URN.
pub const RECORD_ATTRIBUTES: &[&str] = &[
    "active",
    "addresses",
    "displayName",
    "emails",
    "entitlements",
    "externalId",
    "ims",
    "locale",
    "name",
    "nickName",
    "phoneNumbers",
    "photos",
    "preferredLanguage",
    "profileUrl",
    "roles",
    "timezone",
    "title",
    "userName",
    "userType",
    "x509Certificates",
];

pub(super) const ENDS_TOO_EARLY: &str = "the expression ends too early: complete it, for example with the name after a dot, the second half of an \
    operation, or a closing bracket";

/// The parser's message as a problem and its remedy.
pub(super) fn plainly(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    if let Some(sign) = message.strip_prefix("token recognition error at: ") {
        return format!("{sign} is no part of an expression: a text stands between two quotes, like \"Ann\"");
    }
    if let Some((missing, at)) = message.strip_prefix("missing ").and_then(|rest| rest.split_once(" at ")) {
        let place = if at == "'<EOF>'" { "the end".to_owned() } else { at.to_owned() };
        return format!("{missing} is missing before {place}");
    }
    let unexpected = ["mismatched input ", "extraneous input ", "no viable alternative at input "];
    let Some(rest) = unexpected.iter().find_map(|begin| message.strip_prefix(begin)) else { return message.to_owned() };
    let found = rest.split_once(" expecting ").map_or(rest, |(found, _)| found);
    if found.ends_with("<EOF>'") {
        return ENDS_TOO_EARLY.to_owned();
    }
    format!("{found} cannot stand here: texts are joined with +, and the values of a function have commas between them")
}

/// Refuses the first attribute of the record that does not exist.
pub(super) fn known_attributes(node: &IdedExpr) -> Result<(), Refusal> {
    if let Some(name) = attribute(&node.expr)
        && !RECORD_ATTRIBUTES.contains(&name)
    {
        let known = RECORD_ATTRIBUTES.join(", ");
        let meant = did_you_mean(name, RECORD_ATTRIBUTES);
        return Err((
            node.id,
            format!("a record has no `{name}`; it has {known}, and those of an extension as {USER}[\"urn:…\"]{meant}"),
        ));
    }
    parts(&node.expr).into_iter().try_for_each(known_attributes)
}

/// The name of the record's own attribute that the node reads. A key in brackets may be the URN of an extension.
fn attribute(expr: &Expr) -> Option<&str> {
    let is_record = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if name == USER);
    match expr {
        Expr::Select(select) if is_record(&select.operand) => Some(&select.field),
        Expr::Call(call) if [INDEX, OPT_INDEX, OPT_SELECT].contains(&call.func_name.as_str()) => match &*call.args {
            [from, IdedExpr { expr: Expr::Literal(LiteralValue::String(key)), .. }] if is_record(from) => {
                Some(key.inner()).filter(|key| !key.contains(':'))
            }
            _ => None,
        },
        _ => None,
    }
}

fn parts(expr: &Expr) -> Vec<&IdedExpr> {
    match expr {
        Expr::Select(select) => vec![&select.operand],
        Expr::Call(call) => call.target.iter().map(|target| &**target).chain(&call.args).collect(),
        Expr::Comprehension(each) => {
            vec![&each.iter_range, &each.accu_init, &each.loop_cond, &each.loop_step, &each.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        _ => Vec::new(),
    }
}
