//! Sparse answers (`fields=id,email,status`): rows are written with the named fields alone, and `id`. A field that was not asked for
//! is passed over while the row is written, so a sparse answer costs less than a whole one.

use crate::error::AdminError;
use crate::query::query;
use actix_web::HttpRequest;
use rollcall_core::spelling::did_you_mean;
use serde::ser::{Error, Impossible, SerializeMap, SerializeStruct};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

/// The fields that a request asks for.
pub(crate) struct Fields(Option<BTreeSet<String>>);

/// The parameters of a read, among which others may be.
#[derive(Deserialize)]
struct Among {
    fields: Option<String>,
}

/// The parameters of a read of one thing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alone {
    fields: Option<String>,
}

impl Fields {
    /// The fields of a list of `T`.
    ///
    /// # Errors
    /// Names a field that `T` does not have, and those that it has.
    pub(crate) fn of_list<T: ToSchema>(request: &HttpRequest) -> Result<Self, AdminError> {
        let Among { fields } = query(request)?;
        Self::read::<T>(fields.as_deref())
    }

    /// The fields of one `T`, for a read that has no other parameter.
    ///
    /// # Errors
    /// As [`of_list`](Self::of_list).
    pub(crate) fn of_one<T: ToSchema>(request: &HttpRequest) -> Result<Self, AdminError> {
        let Alone { fields } = query(request)?;
        Self::read::<T>(fields.as_deref())
    }

    fn read<T: ToSchema>(text: Option<&str>) -> Result<Self, AdminError> {
        let Some(text) = text else { return Ok(Self(None)) };
        let known = names_of::<T>();
        let mut asked = BTreeSet::from(["id".to_owned()]);
        for name in text.split(',').map(str::trim) {
            if !known.iter().any(|known| known == name) {
                let meant = did_you_mean(name, &known);
                let known = known.join(", ");
                return Err(AdminError::BadRequest(format!("fields: there is no `{name}`{meant}; there are {known}")));
            }
            asked.insert(name.to_owned());
        }
        Ok(Self(Some(asked)))
    }
}

/// The names of the fields of a type, as its schema tells them.
fn names_of<T: ToSchema>() -> Vec<String> {
    let mut named = Vec::new();
    T::schemas(&mut named);
    let mut names = Vec::new();
    collect(&T::schema(), &named, &mut names);
    names
}

fn collect(schema: &RefOr<Schema>, named: &[(String, RefOr<Schema>)], names: &mut Vec<String>) {
    match schema {
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next();
            if let Some((_, schema)) = named.iter().find(|(known, _)| Some(known.as_str()) == name) {
                collect(schema, named, names);
            }
        }
        RefOr::T(Schema::Object(object)) => names.extend(object.properties.keys().cloned()),
        RefOr::T(Schema::AllOf(parts)) => parts.items.iter().for_each(|part| collect(part, named, names)),
        RefOr::T(_) => {}
    }
}

/// A row with these fields alone.
pub(crate) struct Sparse<'f, T> {
    pub(crate) row: T,
    pub(crate) fields: &'f Fields,
}

impl<T: Serialize> Serialize for Sparse<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.fields.0 {
            None => self.row.serialize(serializer),
            Some(names) => self.row.serialize(Picking { serializer, names }),
        }
    }
}

/// Writes the fields of a struct that have one of these names.
struct Picking<'f, S> {
    serializer: S,
    names: &'f BTreeSet<String>,
}

/// The fields of a row on their way.
struct Picked<'f, W> {
    fields: W,
    names: &'f BTreeSet<String>,
    /// The value of a map's entry is written, because its key was.
    wanted: bool,
}

impl<W: SerializeStruct> SerializeStruct for Picked<'_, W> {
    type Ok = W::Ok;
    type Error = W::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), W::Error> {
        if self.names.contains(name) { self.fields.serialize_field(name, value) } else { self.fields.skip_field(name) }
    }

    fn end(self) -> Result<W::Ok, W::Error> {
        self.fields.end()
    }
}

/// A struct with a flattened part is written as a map.
impl<W: SerializeMap> SerializeMap for Picked<'_, W> {
    type Ok = W::Ok;
    type Error = W::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), W::Error> {
        let name = serde_json::to_value(key).map_err(W::Error::custom)?;
        self.wanted = matches!(&name, Json::String(name) if self.names.contains(name));
        if self.wanted { self.fields.serialize_key(key) } else { Ok(()) }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), W::Error> {
        if self.wanted { self.fields.serialize_value(value) } else { Ok(()) }
    }

    fn end(self) -> Result<W::Ok, W::Error> {
        self.fields.end()
    }
}

/// Rows are structs, so nothing else has fields.
macro_rules! no_fields {
    ($($method:ident($($kind:ty),*)),+ $(,)?) => {$(
        fn $method(self, $(_: $kind),*) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("a row without fields"))
        }
    )+};
}

impl<'f, S: Serializer> Serializer for Picking<'f, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Impossible<S::Ok, S::Error>;
    type SerializeTuple = Impossible<S::Ok, S::Error>;
    type SerializeTupleStruct = Impossible<S::Ok, S::Error>;
    type SerializeTupleVariant = Impossible<S::Ok, S::Error>;
    type SerializeMap = Picked<'f, S::SerializeMap>;
    type SerializeStruct = Picked<'f, S::SerializeStruct>;
    type SerializeStructVariant = Impossible<S::Ok, S::Error>;

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeStruct, S::Error> {
        let fields = self.serializer.serialize_struct(name, length)?;
        Ok(Picked { fields, names: self.names, wanted: false })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        Ok(Picked { fields: self.serializer.serialize_map(length)?, names: self.names, wanted: false })
    }

    no_fields! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_u8(u8),
        serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_f32(f32), serialize_f64(f64), serialize_char(char),
        serialize_str(&str), serialize_bytes(&[u8]), serialize_none(), serialize_unit(), serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str),
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        Err(S::Error::custom("a row without fields"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, S::Error> {
        Err(S::Error::custom("a row without fields"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, S::Error> {
        Err(S::Error::custom("a row without fields"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        Err(S::Error::custom("a row without fields"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        Err(S::Error::custom("a row without fields"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::members::{FormerEmail, MemberWithHistory};
    use actix_web::test::TestRequest;
    use serde_json::json;

    #[derive(Serialize, ToSchema)]
    struct Thing {
        id: u32,
        name: String,
        note: Option<String>,
    }

    #[derive(Serialize, ToSchema)]
    struct Wider {
        #[serde(flatten)]
        thing: Thing,
        parts: Vec<u32>,
    }

    fn thing() -> Thing {
        Thing { id: 7, name: "a".into(), note: None }
    }

    fn request(query: &str) -> HttpRequest {
        TestRequest::with_uri(&format!("/?{query}")).to_http_request()
    }

    fn shown<T: Serialize + ToSchema>(row: T, query: &str) -> Result<Json, String> {
        let fields = Fields::of_list::<T>(&request(query)).map_err(|e| e.to_string())?;
        let text = serde_json::to_string(&Sparse { row, fields: &fields }).map_err(|e| e.to_string())?;
        serde_json::from_str(&text).map_err(|e| e.to_string())
    }

    #[test]
    fn a_row_has_the_fields_that_were_asked_for_and_its_id() {
        let wider = || Wider { thing: thing(), parts: vec![1] };
        assert_eq!(shown(thing(), ""), Ok(json!({ "id": 7, "name": "a", "note": null })));
        assert_eq!(shown(thing(), "fields=note"), Ok(json!({ "id": 7, "note": null })));
        assert_eq!(shown(thing(), "fields=id"), Ok(json!({ "id": 7 })));
        assert_eq!(shown(thing(), "limit=3&fields=name,%20name"), Ok(json!({ "id": 7, "name": "a" })));
        assert_eq!(shown(wider(), "fields=parts"), Ok(json!({ "id": 7, "parts": [1] })));
        assert_eq!(shown(wider(), "fields=name"), Ok(json!({ "id": 7, "name": "a" })));
    }

    #[test]
    fn an_unknown_field_is_refused_with_those_that_there_are() {
        let refusal = shown(thing(), "fields=nam").unwrap_err();
        assert!(refusal.contains("`nam`") && refusal.contains("id, name, note"), "{refusal}");
        assert!(shown(thing(), "fields=name,,note").is_err());
        assert!(Fields::of_one::<Thing>(&request("fields=name&limit=3")).is_err(), "one thing has no pages");
    }

    #[test]
    fn the_fields_of_a_flattened_part_are_known() {
        let names = names_of::<MemberWithHistory>();
        for name in ["email", "status", "former_emails"] {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
        assert_eq!(names_of::<FormerEmail>(), ["email", "until"]);
    }
}
