//! The storage of an attribute: a column, the JSON of the client's attributes, the memberships, or none because the server
//! computes it.

use crate::engine::fragment::{Fragment, fragment};
use rollcall_scim::schema::Kind;
use rollcall_scim::{AttrPath, ResourceKind};

use super::element::List;
use super::json_path::{postgres_path, sqlite_path};
use super::scalar::Scalar;
use super::{ALWAYS, Translation};

/// The storage of a path's values.
pub(super) enum Place {
    Scalar(Scalar),
    /// A single complex attribute as a whole; the condition says whether it is assigned.
    Object(Fragment),
    List(List),
    /// An attribute of an extension that the server does not define.
    Custom,
}

impl Translation<'_, '_> {
    pub(super) fn place(&mut self, path: &AttrPath) -> Place {
        if path.kind == Kind::Any {
            return Place::Custom;
        }
        let user = self.target.kind == ResourceKind::User;
        let alias = self.target.alias;
        let column = |name: &str| Fragment::from(format!("{alias}.{name}"));
        let scalar = match path.core() {
            Some(("id", None)) => Scalar::Id(column("id")),
            Some(("externalId", None)) => Scalar::Exact(column("external_id")),
            Some(("userName", None)) if user => Scalar::Folded(column("user_name_folded")),
            Some(("displayName", None)) if !user => Scalar::Folded(column("display_name_folded")),
            Some(("active", None)) if user => Scalar::Flag(column("active")),
            Some(("displayName", None)) => self.own_text(column("display_name")),
            Some(("name", Some("givenName"))) => self.own_text(column("given_name")),
            Some(("name", Some("familyName"))) => self.own_text(column("family_name")),
            Some(("meta", None)) => return Place::Object(ALWAYS.into()),
            Some(("meta", Some(sub))) => self.meta(sub),
            Some(("schemas", None)) => return Place::List(List::Schemas),
            Some(("members" | "groups", _)) => return Place::List(List::Memberships),
            _ if path.multi => return Place::List(List::Json),
            _ => return self.single_in_json(path),
        };
        Place::Scalar(scalar)
    }

    fn meta(&mut self, sub: &str) -> Scalar {
        let alias = self.target.alias;
        match sub {
            "created" => Scalar::Time(format!("{alias}.created_at").into()),
            "lastModified" => Scalar::Time(format!("{alias}.modified_at").into()),
            "resourceType" => Scalar::Exact(format!("CAST('{}' AS text)", self.target.kind.name()).into()),
            "version" => Scalar::Exact(format!("('W/\"' || CAST({alias}.version AS text) || '\"')").into()),
            "location" => Scalar::Exact(self.location(self.target.kind, &format!("{alias}.id").into())),
            _ => Scalar::Nothing,
        }
    }

    /// The URL of a resource.
    pub(super) fn location(&mut self, kind: ResourceKind, id: &Fragment) -> Fragment {
        let collection = self.bind(format!("{}{}/", self.target.base, kind.endpoint()));
        fragment!("({} || {})", collection, self.id_text(id))
    }

    fn single_in_json(&self, path: &AttrPath) -> Place {
        let names: Vec<&str> =
            path.extension.as_deref().into_iter().chain([path.attribute.as_ref()]).chain(path.sub.as_deref()).collect();
        let holder = format!("{}.attributes", self.target.alias);
        match path.kind {
            Kind::Complex => Place::Object(fragment!("{} IS NOT NULL", self.json_text(&holder, &names))),
            Kind::Boolean => Place::Scalar(Scalar::Flag(self.json_flag(&holder, &names))),
            _ => Place::Scalar(self.own_text(self.json_text(&holder, &names))),
        }
    }

    /// A string in the attributes of the resource itself.
    pub(super) fn own_text(&self, text: Fragment) -> Scalar {
        Scalar::Text { text, owner: self.target.alias.to_owned() }
    }

    /// The string under `names`, which are of the schema. NULL when there is none.
    pub(super) fn json_text(&self, holder: &str, names: &[&str]) -> Fragment {
        if self.is_postgres() {
            return format!("({holder} #>> '{}')", postgres_path(names)).into();
        }
        format!("json_extract({holder}, '{}')", sqlite_path(names)).into()
    }

    /// The truth value under `names`, which are of the schema. NULL when there is none.
    pub(super) fn json_flag(&self, holder: &str, names: &[&str]) -> Fragment {
        if self.is_postgres() {
            return format!("(({holder} #> '{}') = 'true')", postgres_path(names)).into();
        }
        format!("json_extract({holder}, '{}')", sqlite_path(names)).into()
    }
}
