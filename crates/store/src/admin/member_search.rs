//! Which members a list shows, and how they are found: by an index, or by reading the list (decision 0075).

use crate::admin::members::Member;
use crate::engine::admission::HeavyKind;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{Find, LiteralComparison, RowList, members};
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::email::fold;
use rollcall_core::ids::SourceId;
use rollcall_core::roster::{MemberStatus, Role, WaitingFor};
use rollcall_core::search;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, LikeExpr, Value};
use sea_orm::{ColumnTrait, FromQueryResult};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Most members that an index may name for one search. When a word names more, a page of them is soon found in the list itself.
const NAMED_MAX: usize = 1_000;
/// So few members are compared faster than another word is looked up.
const FEW: usize = 50;
/// Fewest characters of a part of a word. Fewer are in nearly everybody's words.
const PART_CHARACTERS_MIN: usize = 3;

/// Filters for members; all members when empty.
#[derive(Clone, Debug, Default)]
pub struct MemberFilter {
    pub email: Option<String>,
    /// An address that the member gave up.
    pub former_email: Option<String>,
    pub status: Option<MemberStatus>,
    pub role: Option<Role>,
    pub billing_contact: Option<bool>,
    pub managed_by: Option<Manager>,
    pub waiting_for: Option<WaitingFor>,
    pub blocked: Option<bool>,
    /// The beginnings of words, all of them; or an id or external id.
    pub text: Option<SearchText>,
    /// Parts of words, all of them.
    pub parts: Option<SearchParts>,
    /// Members that changed at this time or later, in the order of their last changes.
    pub modified_since: Option<DateTime<Utc>>,
}

/// The manager of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    Source(SourceId),
    /// Made by hand, or left behind by a detached source.
    Nobody,
}

impl std::str::FromStr for Manager {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<Uuid>() {
            Ok(id) => Ok(Self::Source(id.into())),
            Err(_) if text == "none" => Ok(Self::Nobody),
            Err(_) => Err("it is the id of a source, or `none` for members whom no source manages".to_owned()),
        }
    }
}

/// A search by the beginnings of words.
#[derive(Clone, Debug)]
pub struct SearchText {
    words: BTreeSet<String>,
    /// As given, for ids.
    given: String,
}

impl std::str::FromStr for SearchText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { words: words_of(text)?, given: text.trim().to_owned() })
    }
}

impl SearchText {
    /// The words in the order in which they are looked up: the longest first, since few people share it, as a rule.
    fn longest_first(&self) -> Vec<&str> {
        let mut words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        words
    }
}

/// A search by parts of words.
#[derive(Clone, Debug)]
pub struct SearchParts(BTreeSet<String>);

impl std::str::FromStr for SearchParts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = words_of(text)?;
        if parts.iter().any(|part| part.chars().count() < PART_CHARACTERS_MIN) {
            return Err(format!("each part of a word has at least {PART_CHARACTERS_MIN} characters"));
        }
        Ok(Self(parts))
    }
}

/// Most words of one search.
const WORDS_MAX: usize = 8;

fn words_of(text: &str) -> Result<BTreeSet<String>, String> {
    let words = search::asked(text);
    if (1..=WORDS_MAX).contains(&words.len()) { Ok(words) } else { Err(format!("it is 1 to {WORDS_MAX} words")) }
}

/// The members that an index names for a search.
enum Named {
    These(Vec<Uuid>),
    TooMany,
}

#[derive(FromQueryResult)]
struct NamedRow {
    id: Uuid,
}

/// The address of a member is in the index of addresses, each other word of theirs in `member_words`.
static NAMED_BY_WORD: Sql = Sql::tenant_by_engine(
    &[],
    &[NAMED_BY_NAME, "m.email_folded ~>=~ $2 AND m.email_folded ~<~ $3 LIMIT $4"],
    &[NAMED_BY_NAME, "m.email_folded >= $2 AND m.email_folded < $3 LIMIT $4"],
);
const NAMED_BY_NAME: &str = "SELECT w.member_id AS id FROM member_words w WHERE w.tenant_id = {tenant} \
     AND w.word >= $2 AND w.word < $3 UNION ALL SELECT m.id FROM members m WHERE m.tenant_id = {tenant} AND ";
/// The index of external ids begins with the manager, whom a member left behind does not have.
static NAMED_BY_ID: Sql = Sql::tenant(&["SELECT m.id FROM members m WHERE m.tenant_id = {tenant} AND m.id = $2 \
     UNION ALL SELECT m.id FROM members m WHERE m.tenant_id = {tenant} AND m.directory_user_id = $2 \
     UNION ALL SELECT x.id FROM (SELECT m.id FROM sources s {join} members m ON m.tenant_id = s.tenant_id \
     AND m.managed_by = s.id AND m.external_id = $3 WHERE s.tenant_id = {tenant} LIMIT $4) AS x \
     UNION ALL SELECT y.id FROM (SELECT m.id FROM members m WHERE m.tenant_id = {tenant} AND m.managed_by IS NULL \
     AND m.external_id = $3 LIMIT $4) AS y"]);

impl Store {
    /// The members that the filter leaves. A filter that no index serves, and a search for what many have, is heavy work.
    #[tracing::instrument(name = "store.member_search.members", skip_all)]
    pub async fn members(
        &self,
        scope: &AdminScope,
        filter: &MemberFilter,
        page: &PageRequest,
    ) -> Result<Page<Member>, StoreError> {
        if filter.modified_since.is_some() {
            return self.modified_members(scope, filter, page).await;
        }
        let named = match &filter.text {
            Some(text) => Some(self.read(&scope.scope).await?.named(text).await?),
            None => None,
        };
        let reads_the_list = filter.reads_the_list() && !matches!(named, Some(Named::These(_)));
        let found = async {
            let tx = self.read(&scope.scope).await?;
            let members = tx.find::<members::Entity>().of_filter(filter);
            let members = match &named {
                Some(Named::These(ids)) => members.filter(tx.is_one_of(ids)?),
                _ => members,
            };
            members.page(page, filter.list(RowList::new("members"))).await
        };
        if reads_the_list { self.heavily(&scope.scope, HeavyKind::Search, found).await } else { found.await }
    }
}

impl MemberFilter {
    /// True if no index serves the filter.
    fn reads_the_list(&self) -> bool {
        let by_index = self.email.is_some()
            || self.former_email.is_some()
            || self.waiting_for.is_some()
            || self.blocked == Some(true);
        let by_index = by_index || self.has_authority();
        let searched = self.text.is_some() || self.parts.is_some() || self.managed_by.is_some();
        !by_index && (searched || self.role.is_some() || self.billing_contact.is_some())
    }

    /// The filter leaves only members with authority, who are few and have an index.
    fn has_authority(&self) -> bool {
        self.role.is_some_and(Role::is_privileged) || self.billing_contact == Some(true)
    }

    /// The list under the name that its cursors have.
    pub(super) fn list(&self, list: RowList<members::Entity>) -> RowList<members::Entity> {
        let list = list.filtered("status", self.status).looked_up("email", self.email.as_deref());
        let list = list.looked_up("former_email", self.former_email.as_deref());
        self.named_in(list.looked_up("q", self.asked()))
    }

    /// The search by the beginnings of words, as given.
    pub(super) fn asked(&self) -> Option<&str> {
        self.text.as_ref().map(|text| text.given.as_str())
    }

    /// The list with the filters that both orders of members have.
    pub(super) fn named_in<E: crate::entity::ListedEntity>(&self, list: RowList<E>) -> RowList<E> {
        let managed_by = self.managed_by.map(|manager| match manager {
            Manager::Source(id) => id.to_string(),
            Manager::Nobody => "none".to_owned(),
        });
        let parts = self.parts.as_ref().map(|SearchParts(parts)| parts.iter().cloned().collect::<Vec<_>>().join(" "));
        let list = list.searched("role", self.role).searched("billing_contact", self.billing_contact);
        list.searched("managed_by", managed_by)
            .filtered("waiting_for", self.waiting_for)
            .filtered("blocked", self.blocked)
            .searched("contains", parts)
    }
}

impl Find<'_, members::Entity> {
    /// The members that a filter leaves, whenever they were modified.
    pub(super) fn of_filter(mut self, filter: &MemberFilter) -> Self {
        use members::Column;
        if let Some(email) = &filter.email {
            self = self.filter(Column::EmailFolded.eq(fold(email)));
        }
        if let Some(email) = &filter.former_email {
            self = self.filter(Column::FormerEmailFolded.eq(fold(email)));
        }
        if let Some(status) = filter.status {
            self = self.filter(Column::Status.eq(status.as_str()));
        }
        if filter.has_authority() {
            // The condition of the index, as SQLite wants to read it.
            let contact = Column::BillingContact.into_expr().eq(Expr::Constant(true.into()));
            self = self.filter(Column::Role.is_not("member").or(contact));
        }
        if let Some(role) = filter.role {
            self = self.filter(Column::Role.eq(role.as_str()));
        }
        if let Some(contact) = filter.billing_contact {
            self = self.filter(Column::BillingContact.eq(contact));
        }
        self = match filter.managed_by {
            Some(Manager::Source(source)) => self.filter(Column::ManagedBy.eq(source.0)),
            Some(Manager::Nobody) => self.filter(Column::ManagedBy.is_null()),
            None => self,
        };
        if let Some(what) = filter.waiting_for {
            self = self.filter(Column::WaitingFor.is_not_null()).filter(Column::WaitingFor.eq(what.as_str()));
        }
        self = match filter.blocked {
            Some(true) => self.filter(Column::BlockedFrom.is_not_null()),
            Some(false) => self.filter(Column::BlockedFrom.is_null()),
            None => self,
        };
        if let Some(text) = &filter.text {
            self = self.filter(is_meant_by(text));
        }
        for part in filter.parts.iter().flat_map(|SearchParts(parts)| parts) {
            self = self.filter(like("%", part));
        }
        self
    }
}

/// A member with all the words, or one whose id or external id is the text.
fn is_meant_by(text: &SearchText) -> Condition {
    use members::Column;
    let words = text.words.iter().fold(Condition::all(), |all, word| all.add(like("% ", word)));
    let mut meant = Condition::any().add(words).add(Column::ExternalId.eq(text.given.as_str()));
    if let Ok(id) = text.given.parse::<Uuid>() {
        meant = meant.add(Column::Id.eq(id)).add(Column::DirectoryUserId.eq(id));
    }
    meant
}

/// Both sides are folded, so it does not matter that `LIKE` of SQLite knows no case of ASCII.
fn like(before: &str, word: &str) -> Expr {
    let escaped: String = word.chars().flat_map(|c| "!%_".contains(c).then_some('!').into_iter().chain([c])).collect();
    members::Column::SearchText.into_expr().like(LikeExpr::new(format!("{before}{escaped}%")).escape('!'))
}

impl TenantTx {
    /// The members that the index names for the rarest word, or by an id. Each word costs at most as many entries as may be named.
    async fn named(&self, text: &SearchText) -> Result<Named, StoreError> {
        let mut rarest: Option<Vec<NamedRow>> = None;
        for word in text.longest_first() {
            let of_word = self.with_word(word).await?;
            if of_word.len() < rarest.as_ref().map_or(NAMED_MAX + 1, Vec::len) {
                rarest = Some(of_word);
            }
            if rarest.as_ref().is_some_and(|rarest| rarest.len() <= FEW) {
                break;
            }
        }
        let Some(rarest) = rarest else { return Ok(Named::TooMany) };
        let of_id = self.with_id(&text.given).await?;
        if of_id.len() > NAMED_MAX {
            return Ok(Named::TooMany);
        }
        let ids: BTreeSet<Uuid> = rarest.into_iter().chain(of_id).map(|row| row.id).collect();
        Ok(Named::These(ids.into_iter().collect()))
    }

    async fn with_word(&self, word: &str) -> Result<Vec<NamedRow>, StoreError> {
        // The order of words is that of their bytes, and no character comes after this one.
        let beyond = format!("{word}\u{10ffff}");
        self.all(&NAMED_BY_WORD, [word.into(), beyond.into(), one_too_many()]).await
    }

    async fn with_id(&self, given: &str) -> Result<Vec<NamedRow>, StoreError> {
        let id = given.parse::<Uuid>().unwrap_or_default();
        self.all(&NAMED_BY_ID, [id.into(), given.into(), one_too_many()]).await
    }

    /// The condition that a member is one of these.
    pub(super) fn is_one_of(&self, ids: &[Uuid]) -> Result<Expr, StoreError> {
        let these = format!("members.id IN (SELECT r.id FROM {})", self.tx.rows(ID));
        Ok(self.condition(&these, [id_rows(ids.iter().copied())?]))
    }
}

fn one_too_many() -> Value {
    i64::try_from(NAMED_MAX + 1).unwrap_or(i64::MAX).into()
}

#[cfg(test)]
mod tests;
