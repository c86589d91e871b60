//! Mapping expressions: their results, their refusals with positions, and that none of them can do harm.

use proptest::prelude::*;
use rollcall_core::budget::{Budget, Spent};
use rollcall_core::clock::Clock;
use rollcall_core::ids::TenantId;
use rollcall_core::policy::{Mapped, MappedAttribute, Mapping, Unmapped};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn ann() -> Json {
    json!({
        "userName": "  Ann.Lee@Corp.Example ",
        "name": { "givenName": "Ann", "familyName": "Lee" },
        "emails": [{ "value": "ann@home.example" }, { "value": "ann@corp.example", "type": "work" }],
        "active": true,
        "floor": 3,
        DEPARTMENT: { "department": "R&D" },
    })
}

fn unlimited() -> Budget {
    Budget::unlimited(TenantId(Uuid::nil()))
}

fn display_name(expression: &str) -> Mapping {
    Mapping { display_name: Some(expression.to_owned()), ..Mapping::default() }
}

fn mapped(mapping: &Mapping, record: &Json) -> Mapped {
    let mut all = mapping.of_records(&[record], &unlimited()).expect("an expression that compiles");
    all.remove(0)
}

fn of_ann(expression: &str) -> Result<Option<String>, String> {
    mapped(&display_name(expression), &ann()).map(|values| values[0].1.clone())
}

#[test]
fn pe13_expressions_over_a_records_attributes() {
    for (expression, given) in [
        ("user.name.givenName + \" \" + user.name.familyName", "Ann Lee"),
        ("trim(lower(user.userName))", "ann.lee@corp.example"),
        ("upper(user.name.familyName) + \", \" + user.name.givenName", "LEE, Ann"),
        ("trim(before(user.userName, \"@\"))", "Ann.Lee"),
        ("after(user.emails[0].value, \"@\")", "home.example"),
        ("user.emails.filter(e, has(e.type) && e.type == \"work\")[0].value", "ann@corp.example"),
        (
            "user.emails.exists(e, e.value == lower(trim(user.userName)) || lower(user.userName) != e.type) ? \"a\" : \"b\"",
            "a",
        ),
        ("user.emails.exists(e, e == user.emails[1]) ? \"a\" : \"b\"", "a"),
        ("user.emails.exists(e, e.value.endsWith(\"@corp.example\")) ? \"staff\" : \"guest\"", "staff"),
        ("default(user.title, \"no title\")", "no title"),
        ("default(user.name.givenName, \"?\")", "Ann"),
        ("default(user.none.of.these, \"?\")", "?"),
        ("default(user.emails[7].value, \"?\")", "?"),
        ("default(user[\"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\"].department, \"\")", "R&D"),
        ("default(user[\"urn:none\"].department, default(user.title, user.name.familyName))", "Lee"),
        ("user.name.?middleName.orValue(\"-\")", "-"),
        ("user.name.givenName in [\"Ann\", \"Bob\"] ? \"known\" : \"new\"", "known"),
        ("user.active && user.floor == 3 ? string(user.floor) : \"\"", "3"),
        ("size(user.emails) > 1 ? \"two\" : \"one\"", "two"),
        ("after(user.userName, \"#\") + \"x\"", "x"),
    ] {
        assert_eq!(of_ann(expression), Ok(Some(given.to_owned())), "{expression}");
    }
    for nothing in ["null", "\"\"", "after(user.userName, \"#\")", "default(user.title, null)"] {
        assert_eq!(of_ann(nothing), Ok(None), "{nothing}");
    }
}

#[test]
fn pe13_only_the_attributes_with_an_expression_are_mapped() {
    let mapping = Mapping { email: Some("lower(user.emails[1].value)".into()), ..display_name("user.name.givenName") };
    let values = mapped(&mapping, &ann()).unwrap();
    assert_eq!(
        values,
        [
            (MappedAttribute::Email, Some("ann@corp.example".to_owned())),
            (MappedAttribute::DisplayName, Some("Ann".to_owned()))
        ]
    );
    assert!(Mapping::default().is_empty() && !mapping.is_empty());
}

#[test]
fn pe13_a_record_that_an_expression_fails_for_says_which_and_why() {
    for (expression, reason) in [
        ("user.name.middleName", "the record has no middleName"),
        ("user.title + \"x\"", "the record has no title"),
        ("user.floor", "gives a number, not a text"),
        ("user.emails", "gives a list, not a text"),
        ("user.name", "gives an object, not a text"),
        ("user.active", "gives true or false, not a text"),
        ("user.emails[9].value", "out of bounds"),
        ("lower(user.floor)", "lower"),
        ("user.name + \"x\"", "add"),
        ("user.userName + user.userName + user.userName + user.userName", ""),
    ] {
        let Err(error) = of_ann(expression) else {
            assert!(reason.is_empty(), "{expression} must fail");
            continue;
        };
        assert!(error.starts_with(&format!("display_name: {expression}: ")) && error.contains(reason), "{error}");
    }
    let long = json!({ "title": "x".repeat(200) });
    let error = mapped(&display_name("user.title + user.title"), &long).unwrap_err();
    assert!(error.ends_with("gives a text of more than 320 characters"), "{error}");
    // R9: a text of any script may be as long.
    let cyrillic = json!({ "title": "ж".repeat(160) });
    assert_eq!(mapped(&display_name("user.title + user.title"), &cyrillic).map(|_| ()), Ok(()));
    // Neither stored values nor errors contain a NUL, which Postgres refuses.
    for (expression, ends) in
        [(r#""a\u0000""#, "gives a text with a NUL"), (r#"user["\u0000"]"#, "the record has no  ")]
    {
        let error = of_ann(expression).unwrap_err();
        assert!(error.ends_with(ends) && !error.contains('\0'), "{error:?}");
    }
}

#[test]
fn pe13_one_bad_record_does_not_stop_the_others() {
    let (ann, nobody) = (ann(), json!({ "userName": "x" }));
    let mapping = display_name("user.name.givenName");
    let all = mapping.of_records(&[&ann, &nobody, &ann], &unlimited()).unwrap();
    assert_eq!(all.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn pe13_what_cannot_be_is_refused_with_its_place() {
    for (expression, named) in [
        ("user.", "at line 1, column 6: "),
        ("", "at line 1, column 1: "),
        ("user.a b", "at line 1, column 8: "),
        ("users.name", "at line 1, column 1: there is no `users`; the record is `user`"),
        ("lower(name)", "at line 1, column 7: there is no `name`"),
        ("user.floor * 2", "`*` is not among the functions"),
        ("1 / 0", "`/` is not among the functions"),
        ("user.title.matches(\"(a+)+\")", "`matches` is not among the functions"),
        ("user.emails.map(e, e.value)", "`map` is not among the functions"),
        ("user.emails.filter(e, user.emails.exists(f, f == e))[0].value", "within another"),
        (
            "user.a.all(e, e in user.a)",
            "at line 1, column 17: `in` looks through a list, and that cannot be done within another",
        ),
        (
            "user.a.all(e, user.a == user.b)",
            "at line 1, column 22: while a list is looked through, compare with a part of its element",
        ),
        ("user.a.all(e, user[\"a\"] != user.b)", "compare with a part of its element"),
        ("user.a.all(e, (e ? user.a : user.b) == user.b)", "compare with a part of its element"),
        ("user.a.all(e, orValue(user.?a, user.b) == user.b)", "compare with a part of its element"),
        ("{\"a\": 1}.a", "an object cannot be made here"),
        ("[user.userName, user.userName][0]", "a list here holds texts alone"),
        ("default(\"x\", \"y\")", "default takes an attribute"),
        ("open(\"/etc/passwd\")", "`open` is not among the functions"),
        ("type(user)", "`type` is not among the functions"),
    ] {
        let error = display_name(expression).check().expect_err(expression);
        assert!(error.starts_with("mapping.display_name: at "), "{expression}: {error}");
        assert!(error.contains(named), "{expression}: {error}");
    }
    for (expression, told) in [
        ("user.", "column 6: the expression ends too early: complete it"),
        ("user.userName +", "the expression ends too early"),
        ("user.title user.userName", "column 12: 'user' cannot stand here: texts are joined with +"),
        ("lower(user.title", "the expression ends too early"),
        ("user.title + 'x", "no part of an expression: a text stands between two quotes"),
        ("user.title\n  + #", "line 2, column 5: '#' is no part of an expression"),
        ("user.titel", "column 5: a record has no `titel`; it has active, addresses, "),
        ("user.titel", "Did you mean \"title\"?"),
        ("default(user.deprtment, \"none\")", "a record has no `deprtment`"),
        ("has(user.nme) ? \"a\" : \"b\"", "Did you mean \"name\"?"),
        ("user[\"titel\"]", "a record has no `titel`"),
    ] {
        let error = display_name(expression).check().expect_err(expression);
        assert!(error.contains(told) && !error.contains("Syntax") && !error.contains("EOF"), "{expression}: {error}");
    }
    let error = display_name(&format!("{}1{}", "(".repeat(100), ")".repeat(100))).check().unwrap_err();
    assert_eq!(error, "mapping.display_name: nests more than 32 deep");
    let error = display_name(&"x".repeat(501)).check().unwrap_err();
    assert_eq!(error, "mapping.display_name is longer than 500 bytes");
}

/// The bound on a loop is smaller than that on a request, because each step may read the whole record.
#[test]
fn pe13_a_record_too_large_to_be_looked_through_fails_and_others_do_not() {
    let with = |values: usize, bytes: usize| {
        let list: Vec<Json> = (0..values).map(|number| json!({ "value": format!("{number}") })).collect();
        json!({ "userName": "ann", "urn:x:y": { "l": list }, "title": "t".repeat(bytes) })
    };
    let looks = display_name("user[\"urn:x:y\"].l.all(e, !user.title.contains(e.value)) ? user.userName : \"\"");
    let reads = display_name("user[\"urn:x:y\"].l[0].value + user.userName");
    for (record, small) in
        [(with(5, 8_000), true), (with(100, 100), true), (with(500, 8_000), false), (with(150_000, 0), false)]
    {
        assert_eq!(mapped(&looks, &record).is_ok(), small, "{:?}", mapped(&looks, &record));
        assert_eq!(mapped(&reads, &record).expect("no loop")[0].1, Some("0ann".to_owned()));
    }
    let error = mapped(&looks, &with(150_000, 0)).unwrap_err();
    assert!(error.ends_with("the record is too large for its lists to be looked through"), "{error}");
    // A list literal counts as one of the record.
    let own = format!("[{}true].all(e, size(user.title) > 0) ? \"a\" : \"b\"", "true,".repeat(80));
    assert!(mapped(&display_name(&own), &with(1, 8_000)).is_ok());
    assert!(mapped(&display_name(&own), &with(1, 40_000)).is_err());
}

/// The most that 500 bytes can ask of the interpreter: loops of many calls, and calls in each other's result.
fn costly() -> Vec<String> {
    let copies =
        |call: &str, rest: &str, times: usize| format!("{}user.title{}{rest}", call.repeat(times), ")".repeat(times));
    let tests = vec!["user.title.contains(\"zz\")"; 14].join("||");
    vec![
        copies("upper(", "", 30),
        format!("user[\"urn:x:y\"].l.exists(e,{tests})?\"a\":\"b\""),
        format!("user[\"urn:x:y\"].l.all(e,!{}.contains(e.value))?\"a\":\"b\"", copies("lower(", "", 24)),
        format!("user[\"urn:x:y\"].l.filter(e,size({})>0)[0].value", copies("trim(", "", 24)),
    ]
}

/// S5b: fuel. No record and no expression that are accepted make one evaluation long, so a budget ends many of them in time.
#[test]
fn pe13_the_costliest_evaluations_end_soon() {
    let record = |values: usize, bytes: usize| {
        let list: Vec<Json> = (0..values).map(|number| json!({ "value": format!("y{number}") })).collect();
        json!({ "userName": "ann", "urn:x:y": { "l": list }, "title": "z".to_owned() + &"Z".repeat(bytes) })
    };
    for expression in costly() {
        assert!(expression.len() <= 500, "{}", expression.len());
        let mapping = display_name(&expression);
        mapping.check().expect(&expression);
        for (values, bytes) in [(500, 0), (500, 700), (100, 3_000), (20, 15_000), (2, 250_000)] {
            let begun = Instant::now();
            let _refused_or_done = mapped(&mapping, &record(values, bytes));
            // A debug build on a busy machine: some thirty times of what a release build takes.
            assert!(begun.elapsed() < Duration::from_secs(5), "{expression} {values} {bytes}: {:?}", begun.elapsed());
        }
    }
}

#[test]
fn pe13_evaluations_end_with_their_budget() {
    let (ann, mapping) = (ann(), display_name("user.name.givenName"));
    let records = vec![&ann; 10];
    assert_eq!(mapping.of_records(&records, &unlimited().with_steps(10)).map(|all| all.len()), Ok(10));
    assert_eq!(mapping.of_records(&records, &unlimited().with_steps(9)), Err(Unmapped::Spent(Spent::Steps)));
    let clock = Clock::manual(chrono::DateTime::UNIX_EPOCH);
    let short = Budget::new(TenantId(Uuid::nil()), &clock, Duration::from_secs(1));
    assert!(mapping.of_records(&records, &short).is_ok());
    clock.advance(chrono::TimeDelta::seconds(1));
    assert_eq!(mapping.of_records(&records, &short), Err(Unmapped::Spent(Spent::Time)));
    let left = unlimited();
    left.stop();
    assert_eq!(mapping.of_records(&records, &left), Err(Unmapped::Spent(Spent::Stopped)));
}

/// The interpreter recurses: the longest of these must not end the process.
#[test]
fn pe13_no_expression_exhausts_the_stack() {
    type Shape = (&'static str, &'static str, &'static str);
    let shapes: [Shape; 16] = [
        ("(", "true", ")"),
        ("[", "1", "]"),
        ("{1:", "1", "}"),
        ("!", "true", ""),
        ("-", "1", ""),
        ("", "user", ".a"),
        ("", "user", "[0]"),
        ("", "user", ".?a"),
        ("", "\"a\"", "+\"a\""),
        ("", "true", "&&true"),
        ("", "1", "==1"),
        ("true?1:", "1", ""),
        ("true?(", "1", "):1"),
        ("lower(", "\"A\"", ")"),
        ("default(user.a,", "\"A\"", ")"),
        ("(", "", ""),
    ];
    for (before, middle, after) in shapes {
        for bytes in [60, 200, 500] {
            let times = (bytes - middle.len()) / (before.len() + after.len());
            let expression = format!("{}{middle}{}", before.repeat(times), after.repeat(times));
            assert!(expression.len() <= 500);
            // Both a refusal and a result are fine.
            if let Ok(all) = display_name(&expression).of_records(&[&ann()], &unlimited()) {
                assert_eq!(all.len(), 1, "{expression}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any input of an admin gets an answer, without a panic.
    #[test]
    fn pe13_any_text_is_an_expression_or_a_refusal(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "user", ".name", ".givenName", ".emails", "[0]", "[", "]", "(", ")", "\"a\"", "'", "+", " ? ", " : ", "==", "&&",
                "!", "-", "1", "9223372036854775808", "1e999", "null", "true", ".filter(e, e.value == \"x\")", ".map(e, e)",
                "default(", ",", "lower(", "before(", "has(", "in", "\\", "\u{0}", "é", "{", "}", "b\"\\xff\"", "`a b`", ".?x",
                ".orValue(\"\")", "optional.none()", "size(", "\n", "//", "r\"\"\"",
            ]),
            0..14,
        )
    ) {
        let mapping = display_name(&pieces.concat());
        let outcome = mapping.of_records(&[&ann()], &unlimited());
        prop_assert_eq!(outcome.is_ok(), mapping.check().is_ok());
        if let Err(error) = outcome {
            prop_assert!(!error.to_string().contains("interpreter failed"), "{}: {}", pieces.concat(), error);
        }
    }
}
