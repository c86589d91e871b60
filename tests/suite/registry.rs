//! The list of tests: registered once, run for each combination, with a panic reported as a readable failure.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{PoisonError, RwLock};

use libtest_mimic::{Failed, Trial};

use crate::deployment::Combination;
use crate::hub::Hub;
use crate::workbench::Workbench;

/// Held for reading by concurrent tests, and for writing by a test that must run alone.
static TURN: RwLock<()> = RwLock::new(());

/// The body of a test: it has passed when it ends without a panic.
pub(crate) type Body = Pin<Box<dyn Future<Output = ()>>>;

/// One test, not yet bound to a combination.
pub(crate) struct Case {
    name: String,
    only_on: Option<Combination>,
    alone: bool,
    body: Box<dyn FnOnce(Hub) -> Body + Send>,
}

impl Case {
    /// `name` is the path of the function, as `suite::scim_users::post_…`; the crate's own name is cut off.
    pub(crate) fn new(module: &str, name: &str, body: impl FnOnce(Hub) -> Body + Send + 'static) -> Self {
        let module = module.split_once("::").map_or(module, |(_, rest)| rest);
        Self { name: format!("{module}::{name}"), only_on: None, alone: false, body: Box::new(body) }
    }

    /// Restricts the test to the combination whose property it tests.
    pub(crate) fn only_on(mut self, combination: Combination) -> Self {
        self.only_on = Some(combination);
        self
    }

    /// Runs the test while no other runs, because it measures time.
    pub(crate) fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    pub(crate) fn runs_on(&self, combination: Combination) -> bool {
        self.only_on.is_none_or(|only| only == combination)
    }

    pub(crate) fn full_name(&self, combination: Combination) -> String {
        format!("{combination}::{}", self.name)
    }

    pub(crate) fn into_trial(self, combination: Combination, hub: &Hub, workbench: &Workbench) -> Trial {
        let name = self.full_name(combination);
        let hub = hub.clone();
        let runtime = workbench.runtime.clone();
        Trial::test(name, move || {
            let _quiet = self.alone.then(|| TURN.write().unwrap_or_else(PoisonError::into_inner));
            let _beside = (!self.alone).then(|| TURN.read().unwrap_or_else(PoisonError::into_inner));
            // The body is polled on this thread, so that the panic hook below and the processes a test starts
            // (they die with the thread that started them) belong to this test alone.
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on((self.body)(hub))));
            outcome.map_err(|payload| Failed::from(describe(payload.as_ref())))
        })
    }
}

/// Registers the named async functions of the calling module.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        vec![$($crate::registry::Case::new(module_path!(), stringify!($name), |hub| Box::pin($name(hub)))),*]
    };
}
pub(crate) use cases;

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the location of each panic for the report instead of printing it between other tests' lines.
pub(crate) fn keep_panics_quiet() {
    panic::set_hook(Box::new(|info| {
        let location = info.location().map_or_else(String::new, |at| format!("{}:{}: ", at.file(), at.line()));
        let message = format!("{location}{}", text_of(info.payload()));
        LAST_PANIC.with(|last| *last.borrow_mut() = Some(message));
    }));
}

fn describe(payload: &(dyn Any + Send)) -> String {
    LAST_PANIC.with(|last| last.borrow_mut().take()).unwrap_or_else(|| text_of(payload))
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
