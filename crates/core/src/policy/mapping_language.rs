//! The part of the Common Expression Language (CEL) that mappings may use, with functions for names and addresses.

use super::mapping_errors::{ENDS_TOO_EARLY, Refusal, USER, known_attributes, plainly};
use cel::common::ast::operators::{
    ADD, CONDITIONAL, EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT,
    LOGICAL_OR, NOT_EQUALS, NOT_STRICTLY_FALSE, OPT_INDEX, OPT_SELECT,
};
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo};
use cel::parser::Macro;
use cel::{Context, Env, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// Deepest nesting of brackets and conditions.
const NESTING_MAX: u16 = 32;

/// Bound on the cost of the loops of one evaluation: their calls, each once for every value of the widest list, times the bytes of
/// the record. The interpreter cannot be stopped, and each call may read the whole record; so the cost is worked out before, and
/// the longest evaluation takes about a tenth of a second.
const LOOP_COST_MAX: usize = 12_000_000;

const OPERATORS: &[&str] = &[
    ADD,
    CONDITIONAL,
    EQUALS,
    GREATER,
    GREATER_EQUALS,
    IN,
    INDEX,
    LESS,
    LESS_EQUALS,
    LOGICAL_AND,
    LOGICAL_NOT,
    LOGICAL_OR,
    NOT_EQUALS,
    NOT_STRICTLY_FALSE,
    OPT_INDEX,
    OPT_SELECT,
];

/// Each returns at most as much as its input.
const FUNCTIONS: &[&str] = &[
    "after",
    "before",
    "contains",
    "endsWith",
    "hasValue",
    "lower",
    "orValue",
    "size",
    "startsWith",
    "string",
    "trim",
    "upper",
];

/// Functions that return a string or a number, or fail.
const TEXT_FUNCTIONS: &[&str] = &["after", "before", "lower", "size", "string", "trim", "upper"];

pub(super) struct Language {
    env: Arc<Env>,
    root: Context<'static, 'static>,
}

/// A compiled expression.
pub(super) struct Expression {
    tree: IdedExpr,
    /// Calls within loops; those outside are made once.
    calls_in_loops: usize,
    /// The most strings in a list literal.
    widest: usize,
}

/// A record in the form that expressions read.
pub(super) struct User<'l> {
    context: Context<'l, 'static>,
    size: Size,
}

/// Size of a record.
#[derive(Default)]
struct Size {
    bytes: usize,
    /// The most values side by side.
    widest: usize,
}

impl Language {
    pub(super) fn new() -> Self {
        let mut env = Env::stdlib();
        let _only_a_second_one_is_refused = env.add_macro(default_macro());
        let env = Arc::new(env);
        let mut root = Context::with_env(Arc::clone(&env));
        let text = |text: String| Arc::new(text);
        // No other function has one of these names, so none is refused.
        let _ = root.add_function("lower", move |t: Arc<String>| text(t.to_lowercase()));
        let _ = root.add_function("upper", move |t: Arc<String>| text(t.to_uppercase()));
        let _ = root.add_function("trim", move |t: Arc<String>| text(t.trim().to_owned()));
        let _ = root.add_function("before", move |t: Arc<String>, mark: Arc<String>| {
            text(t.split_once(mark.as_str()).map_or(t.as_str(), |(before, _)| before).to_owned())
        });
        let _ = root.add_function("after", move |t: Arc<String>, mark: Arc<String>| {
            text(t.split_once(mark.as_str()).map_or("", |(_, after)| after).to_owned())
        });
        Self { env, root }
    }

    /// # Errors
    /// The position, as line and column, and the problem there.
    pub(super) fn compile(&self, text: &str) -> Result<Expression, String> {
        let parsed = self.env.parser().max_recursion_depth(NESTING_MAX).parse_with_source_info(text);
        let (tree, source) = parsed.map_err(|errors| match errors.errors.first() {
            Some(error) if error.msg.contains("Recursion limit") => format!("nests more than {NESTING_MAX} deep"),
            Some(error) if ends_before(text, error.pos) => at(error.pos, ENDS_TOO_EARLY),
            Some(error) => at(error.pos, &plainly(&short(&error.msg))),
            None => "is no expression".to_owned(),
        })?;
        let mut checker = Checker { names: vec![USER.to_owned()], loops: 0, outside: 1, calls_in_loops: 0, widest: 0 };
        let checked = checker.check(&tree);
        checked.map_err(|(id, reason)| at(position(&source, text, id), &reason))?;
        Ok(Expression { tree, calls_in_loops: checker.calls_in_loops, widest: checker.widest })
    }

    /// As [`compile`](Self::compile), for a new expression: an attribute that no record can have is refused. A stored one may name
    /// attributes that an earlier version knew.
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        let compiled = self.compile(text)?;
        let Err((id, reason)) = known_attributes(&compiled.tree) else { return Ok(()) };
        let parsed = self.env.parser().max_recursion_depth(NESTING_MAX).parse_with_source_info(text);
        Err(parsed.map_or_else(|_| reason.clone(), |(_, source)| at(position(&source, text, id), &reason)))
    }

    /// The record in the form that expressions read.
    pub(super) fn user<'l>(&'l self, record: &Json) -> Result<User<'l>, String> {
        let value = cel::to_value(record).map_err(|e| short(&e.to_string()))?;
        let mut context = self.root.new_inner_scope();
        context.add_variable_from_value(USER, value);
        let mut size = Size::default();
        size.add(record);
        Ok(User { context, size })
    }
}

impl Size {
    fn add(&mut self, value: &Json) {
        // A value that is not a string takes about as much as a short one.
        self.bytes += size_of::<Json>();
        match value {
            Json::String(text) => self.bytes += text.len(),
            Json::Array(items) => {
                self.widest = self.widest.max(items.len());
                items.iter().for_each(|item| self.add(item));
            }
            Json::Object(members) => {
                self.widest = self.widest.max(members.len());
                members.iter().for_each(|(name, member)| {
                    self.bytes += name.len();
                    self.add(member);
                });
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

impl Expression {
    /// The most work of its loops, in bytes that calls read.
    fn loop_cost(&self, size: &Size) -> usize {
        self.calls_in_loops.saturating_mul(size.widest.max(self.widest)).saturating_mul(size.bytes)
    }

    pub(super) fn evaluate(&self, user: &User<'_>) -> Result<Option<String>, String> {
        if self.loop_cost(&user.size) > LOOP_COST_MAX {
            return Err("the record is too large for its lists to be looked through".into());
        }
        match Value::resolve(&self.tree, &user.context) {
            Ok(Value::String(text)) => Ok(Some(text.to_string())),
            Ok(Value::Null) => Ok(None),
            Ok(other) => Err(format!("gives {}, not a text", kind(&other))),
            Err(cel::ExecutionError::NoSuchKey(name)) => Err(format!("the record has no {}", short(&name))),
            Err(error) => Err(short(&error.to_string())),
        }
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "a list",
        Value::Map(_) => "an object",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::Bool(_) => "true or false",
        _ => "something else",
    }
}

/// The interpreter's messages hold values of the record, so they are cut to one line.
fn short(message: &str) -> String {
    message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(160).collect()
}

/// Line and column, from 1.
fn position(source: &SourceInfo, text: &str, id: u64) -> (isize, isize) {
    let start = source.offset_for(id).map_or(0, |(start, _)| start as usize);
    let before: String = text.chars().take(start).collect();
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let line = before.matches('\n').count() + 1;
    (line.cast_signed(), column.cast_signed())
}

/// True if the text has nothing at that place or after it.
fn ends_before(text: &str, (line, column): (isize, isize)) -> bool {
    let mut rest = text.split('\n').skip(line.cast_unsigned().saturating_sub(1));
    let here = rest.next().map(|line| line.chars().skip(column.cast_unsigned().saturating_sub(1)).collect::<String>());
    here.is_none_or(|here| here.trim().is_empty()) && rest.all(|line| line.trim().is_empty())
}

fn at((line, column): (isize, isize), problem: &str) -> String {
    format!("at line {line}, column {column}: {problem}")
}

/// Accepts only expressions with bounded time and memory.
struct Checker {
    /// Names in scope: the record, and the elements of the lists in loops.
    names: Vec<String>,
    loops: usize,
    /// Number of names that belong to the record; the others are loop elements.
    outside: usize,
    /// Calls within loops; those outside are made once.
    calls_in_loops: usize,
    /// The most strings in a list literal.
    widest: usize,
}

impl Checker {
    fn check(&mut self, node: &IdedExpr) -> Result<(), Refusal> {
        let refuse = |reason: String| Err((node.id, reason));
        match &node.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) if name.starts_with('@') || self.names.contains(name) => Ok(()),
            Expr::Ident(name) => refuse(format!("there is no `{name}`; the record is `{USER}`")),
            Expr::Select(select) => self.check(&select.operand),
            Expr::Call(call) => self.call(node.id, call),
            Expr::Comprehension(each) => self.comprehension(node.id, each),
            // In a loop, a list may hold only filter results; a longer one could grow beyond the element itself.
            Expr::List(list) => match list.elements.iter().find(|element| !self.may_be_listed(element)) {
                Some(element) => {
                    Err((element.id, "a list here holds texts alone; `map` is not among the functions".into()))
                }
                None => {
                    self.widest = self.widest.max(list.elements.len());
                    Ok(())
                }
            },
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => refuse("an object cannot be made here".into()),
        }
    }

    fn may_be_listed(&self, element: &IdedExpr) -> bool {
        match &element.expr {
            Expr::Literal(_) => self.loops == 0,
            Expr::Ident(name) => self.loops == 1 && self.names.contains(name),
            _ => false,
        }
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Result<(), Refusal> {
        let name = call.func_name.as_str();
        self.calls_in_loops += usize::from(self.loops > 0);
        if !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
            let known = FUNCTIONS.join(", ");
            let name = name.replace('_', "");
            return Err((
                id,
                format!("`{name}` is not among the functions: all, default, exists, filter, has, {known}"),
            ));
        }
        if self.loops > 0 && name == IN {
            return Err((id, "`in` looks through a list, and that cannot be done within another".into()));
        }
        if self.loops > 0 && [EQUALS, NOT_EQUALS].contains(&name) && !call.args.iter().any(|side| self.is_small(side)) {
            let reason = "while a list is looked through, compare with a part of its element, a text or a number";
            return Err((id, reason.into()));
        }
        call.target.iter().try_for_each(|target| self.check(target))?;
        call.args.iter().try_for_each(|argument| self.check(argument))
    }

    /// A comparison with it costs no more than the element's size: it is no list and no object, or it is part of the
    /// element.
    fn is_small(&self, side: &IdedExpr) -> bool {
        match &side.expr {
            Expr::Literal(_) => true,
            Expr::Ident(name) => self.names.iter().skip(self.outside).any(|inside| inside == name),
            Expr::Select(select) => select.test || self.is_small(&select.operand),
            Expr::Call(call) if [INDEX, OPT_INDEX, OPT_SELECT].contains(&call.func_name.as_str()) => {
                call.args.first().is_some_and(|from| self.is_small(from))
            }
            Expr::Call(call) => TEXT_FUNCTIONS.contains(&call.func_name.as_str()),
            _ => false,
        }
    }

    fn comprehension(&mut self, id: u64, each: &ComprehensionExpr) -> Result<(), Refusal> {
        self.check(&each.iter_range)?;
        if self.loops > 0 {
            return Err((id, "a list cannot be looked through within another".into()));
        }
        self.loops += 1;
        let outside = self.names.len();
        self.outside = outside;
        self.names.push(each.iter_var.clone());
        self.names.extend(each.iter_var2.clone());
        self.names.push(each.accu_var.clone());
        let parts = [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result];
        let checked = parts.into_iter().try_for_each(|part| self.check(part));
        self.names.truncate(outside);
        self.loops -= 1;
        checked
    }
}

/// `default(user.name.givenName, "…")`: the attribute, or the fallback when it or anything on its path is missing.
fn default_macro() -> Macro {
    Macro::global("default", 2, |helper, _, arguments| {
        let (Some(fallback), Some(value)) = (arguments.pop(), arguments.pop()) else { return Ok(None) };
        let id = value.id;
        let mut node = |expr: Expr| helper.next_expr(expr);
        let value = optional(value, &mut node);
        if !matches!(&value.expr, Expr::Call(call) if call.func_name == OPT_SELECT || call.func_name == OPT_INDEX) {
            return Err(helper.new_error(id, "default takes an attribute, e.g. default(user.title, \"\")"));
        }
        let or_value = CallExpr { func_name: "orValue".into(), target: Some(Box::new(value)), args: vec![fallback] };
        Ok(Some(helper.next_expr(Expr::Call(or_value))))
    })
}

/// The same path to an attribute, by steps that may be missing.
fn optional(value: IdedExpr, node: &mut impl FnMut(Expr) -> IdedExpr) -> IdedExpr {
    let id = value.id;
    let (step, from, to) = match value.expr {
        Expr::Select(SelectExpr { operand, field, test: false }) => {
            (OPT_SELECT, *operand, node(Expr::Literal(LiteralValue::String(field.into()))))
        }
        Expr::Call(CallExpr { func_name, target: None, mut args }) if func_name == INDEX && args.len() == 2 => {
            match (args.pop(), args.pop()) {
                (Some(key), Some(from)) => (OPT_INDEX, from, key),
                _ => return IdedExpr { id, expr: Expr::Unspecified },
            }
        }
        expr => return IdedExpr { id, expr },
    };
    let from = optional(from, node);
    node(Expr::Call(CallExpr { func_name: step.into(), target: None, args: vec![from, to] }))
}
