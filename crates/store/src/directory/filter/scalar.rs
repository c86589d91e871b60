//! One value in SQL, and the tests of it.

use crate::engine::fragment::{Fragment, fragment};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_scim::filter::{CompareOp, CompareValue};
use rollcall_scim::fold;
use uuid::Uuid;

use super::{ALWAYS, NEVER, Test, Translation};

/// An SQL expression with its type. Each may be NULL: unassigned.
pub(super) enum Scalar {
    /// A string as the client wrote it, from the attributes of the row aliased `owner`.
    Text {
        text: Fragment,
        owner: String,
    },
    /// A string that is folded already.
    Folded(Fragment),
    /// A string that is compared unchanged.
    Exact(Fragment),
    /// A UUID, which clients see as a string.
    Id(Fragment),
    Flag(Fragment),
    /// An instant.
    Time(Fragment),
    Nothing,
}

impl Translation<'_, '_> {
    pub(super) fn scalar_test(&mut self, scalar: &Scalar, case_exact: bool, test: Test<'_>) -> Fragment {
        match (test, scalar) {
            (Test::Present, Scalar::Text { text, .. } | Scalar::Folded(text) | Scalar::Exact(text)) => {
                fragment!("({} <> '')", text)
            }
            (Test::Present, Scalar::Flag(sql) | Scalar::Time(sql)) => fragment!("({} IS NOT NULL)", sql),
            (Test::Present, Scalar::Id(_)) => ALWAYS.into(),
            (Test::Compare(op, CompareValue::String(wanted)), scalar) => {
                self.compare_string(scalar, case_exact, op, wanted)
            }
            (Test::Compare(_, CompareValue::Boolean(wanted)), Scalar::Flag(sql)) => {
                fragment!("({} = {})", sql, self.bind(*wanted))
            }
            (Test::Compare(op, CompareValue::DateTime(wanted)), Scalar::Time(sql)) => {
                self.compare_time(sql, op, *wanted)
            }
            _ => NEVER.into(),
        }
    }

    fn compare_string(&mut self, scalar: &Scalar, case_exact: bool, op: CompareOp, wanted: &str) -> Fragment {
        match scalar {
            // A UUID in any other spelling is a different string, and matches nothing.
            Scalar::Id(sql) if op == CompareOp::Eq => fragment!("({} = {})", sql, self.bind(canonical_id(wanted))),
            Scalar::Id(sql) => {
                let wanted = self.bind(wanted);
                let text = self.id_text(sql);
                self.compare_text(&text, op, &wanted)
            }
            Scalar::Text { text, .. } if case_exact => {
                let wanted = self.bind(wanted);
                self.compare_text(text, op, &wanted)
            }
            Scalar::Exact(text) => {
                let wanted = self.bind(wanted);
                self.compare_text(text, op, &wanted)
            }
            Scalar::Text { text, owner } => {
                let wanted = self.bind(fold(wanted));
                let text = self.fold_text(text, owner);
                self.compare_text(&text, op, &wanted)
            }
            Scalar::Folded(text) => {
                let wanted = self.bind(fold(wanted));
                self.compare_text(text, op, &wanted)
            }
            Scalar::Flag(_) | Scalar::Time(_) | Scalar::Nothing => NEVER.into(),
        }
    }

    /// Compares strings bytewise; no pattern is involved, so nothing in them needs escaping.
    fn compare_text(&self, text: &Fragment, op: CompareOp, wanted: &Fragment) -> Fragment {
        let postgres = self.is_postgres();
        match op {
            CompareOp::Eq | CompareOp::Ne => fragment!("({} {} {})", text, operator(op), wanted),
            CompareOp::Co if postgres => fragment!("(strpos({}, {}) > 0)", text, wanted),
            CompareOp::Co => fragment!("(instr({}, {}) > 0)", text, wanted),
            CompareOp::Sw if postgres => fragment!("starts_with({}, {})", text, wanted),
            CompareOp::Sw => fragment!("(substr({}, 1, length({})) = {})", text, wanted, wanted),
            CompareOp::Ew if postgres => fragment!("(right({}, length({})) = {})", text, wanted, wanted),
            CompareOp::Ew => {
                fragment!("(substr({}, length({}) - length({}) + 1) = {})", text, text, wanted, wanted)
            }
            CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le if postgres => {
                fragment!("({} COLLATE \"C\" {} {})", text, operator(op), wanted)
            }
            CompareOp::Gt | CompareOp::Ge | CompareOp::Lt | CompareOp::Le => {
                fragment!("({} {} {})", text, operator(op), wanted)
            }
        }
    }

    /// Clients see whole milliseconds, truncated from the stored value, and compare with those. An instant between two
    /// milliseconds equals none.
    fn compare_time(&mut self, sql: &Fragment, op: CompareOp, wanted: DateTime<Utc>) -> Fragment {
        let Milliseconds { below, above, after } = Milliseconds::around(wanted);
        let (operator, bound) = match op {
            CompareOp::Ge => (">=", above),
            CompareOp::Lt => ("<", above),
            CompareOp::Gt => (">=", after),
            CompareOp::Le => ("<", after),
            _ => {
                let whole = below == above;
                let (from, to) = (self.bind(Some(below).filter(|_| whole)), self.bind(after));
                return fragment!("({} >= {} AND {} < {})", sql, from, sql, to);
            }
        };
        fragment!("({} {} {})", sql, operator, self.bind(bound))
    }

    /// A string from the attributes of `owner`, folded. `lower` folds ASCII; [`super::folded`] holds the rest.
    pub(super) fn fold_text(&self, text: &Fragment, owner: &str) -> Fragment {
        if self.is_postgres() {
            return fragment!("coalesce({}.folded ->> {}, lower({} COLLATE \"C\"))", owner, text, text);
        }
        fragment!(
            "CASE WHEN {}.folded IS NULL THEN lower({}) ELSE \
             coalesce((SELECT f.value FROM json_each({}.folded) f WHERE f.key = {}), lower({})) END",
            owner,
            text,
            owner,
            text,
            text
        )
    }

    /// A UUID as clients see it.
    pub(super) fn id_text(&self, sql: &Fragment) -> Fragment {
        if self.is_postgres() {
            return fragment!("CAST({} AS text)", sql);
        }
        let part = |bounds: &str| fragment!("substr(hex({}), {})", sql, bounds);
        let parts = [part("1, 8"), part("9, 4"), part("13, 4"), part("17, 4"), part("21, 12")];
        fragment!("lower({})", Fragment::join(&parts, " || '-' || "))
    }
}

pub(super) fn operator(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Ne => "<>",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Eq | CompareOp::Co | CompareOp::Sw | CompareOp::Ew => "=",
    }
}

/// The UUID, if it is in this server's spelling.
fn canonical_id(text: &str) -> Option<Uuid> {
    text.parse().ok().filter(|id: &Uuid| id.to_string() == text)
}

/// The whole milliseconds next to an instant.
struct Milliseconds {
    /// At or before it.
    below: DateTime<Utc>,
    /// At or after it.
    above: DateTime<Utc>,
    /// The first after `below`.
    after: DateTime<Utc>,
}

impl Milliseconds {
    /// Years that not all databases can hold are replaced by ones that compare alike with every stored instant.
    fn around(instant: DateTime<Utc>) -> Self {
        /// 0001-01-01T00:00:00Z and 9999-12-31T23:59:58Z, in seconds since 1970.
        const YEARS: (i64, i64) = (-62_135_596_800, 253_402_300_798);
        let seconds = instant.timestamp().clamp(YEARS.0, YEARS.1);
        let nanos = instant.timestamp_subsec_nanos();
        // A leap second is a count of nanoseconds past the last second.
        let whole = nanos.min(999_999_999) / 1_000_000 * 1_000_000;
        let below = DateTime::from_timestamp(seconds, whole).unwrap_or_default();
        let after = below + TimeDelta::milliseconds(1);
        Self { below, above: if whole == nanos { below } else { after }, after }
    }
}
