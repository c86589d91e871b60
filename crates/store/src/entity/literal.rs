//! Comparisons with a literal in the statement's text.
//!
//! A bound parameter would be the same for the answer but not for the plan: neither engine proves from `status = $2` that a
//! partial index (`WHERE status <> 'removed'`) applies, and Postgres runs generic plans here.

use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Expr, ExprTrait};

/// Comparisons of a column with states, kinds and other fixed values that the program itself names.
pub(crate) trait LiteralComparison: ColumnTrait {
    fn is(self, literal: impl Into<&'static str>) -> Expr {
        self.into_expr().eq(constant(literal.into()))
    }

    fn is_not(self, literal: impl Into<&'static str>) -> Expr {
        self.into_expr().ne(constant(literal.into()))
    }

    fn is_one_of<const N: usize>(self, literals: [impl Into<&'static str>; N]) -> Expr {
        self.into_expr().is_in(literals.map(|literal| constant(literal.into())))
    }
}

impl<C: ColumnTrait> LiteralComparison for C {}

fn constant(literal: &'static str) -> Expr {
    Expr::Constant(literal.into())
}
