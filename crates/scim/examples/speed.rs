use rollcall_scim::*;
use serde_json::json;
use std::time::Instant;
fn main() {
    let body = serde_json::to_vec(&json!({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@example.com","name":{"givenName":"Ada","familyName":"Lovelace"},"emails":[{"primary":true,"value":"ada@example.com","type":"work"}],"displayName":"Ada Lovelace","locale":"en-US","externalId":"00ujl29u0le5T6Aj10h7","groups":[],"password":"1mz050nq","active":true})).unwrap();
    let n = 200_000;
    let t = Instant::now();
    for _ in 0..n {
        std::hint::black_box(serde_json::from_slice::<serde_json::Value>(&body).unwrap());
    }
    println!("serde_json only {:?}", t.elapsed() / n);
    let t = Instant::now();
    for _ in 0..n {
        let v = parse_json(&body).unwrap();
        std::hint::black_box(UserResource::from_json(v, &mut Quirks::new()).unwrap());
    }
    println!("parse+read user {:?}", t.elapsed() / n);
    let user = UserResource::from_json(parse_json(&body).unwrap(), &mut Quirks::new()).unwrap();
    let t = Instant::now();
    for _ in 0..n {
        std::hint::black_box(
            Filter::parse(ResourceKind::User, "userName eq \"ada@example.com\"", &mut Quirks::new()).unwrap(),
        );
    }
    println!("filter {:?}", t.elapsed() / n);
    let pb = serde_json::to_vec(&json!({"Operations":[{"op":"Replace","path":"active","value":"False"}]})).unwrap();
    let t = Instant::now();
    for _ in 0..n {
        let mut q = Quirks::new();
        let p = PatchRequest::parse(ResourceKind::User, parse_json(&pb).unwrap(), &Limits::default(), &mut q).unwrap();
        std::hint::black_box(patch::apply_to_user(&user, &p, &mut q).unwrap());
    }
    println!("patch active {:?}", t.elapsed() / n);
    let parts = render::UserParts {
        id: "u1",
        attributes: user.attributes(),
        groups: &[],
        created: chrono::DateTime::UNIX_EPOCH,
        last_modified: chrono::DateTime::UNIX_EPOCH,
        version: 1,
        location: "https://h/scim/v2/x/Users/u1",
    };
    let all = Projection::all();
    let t = Instant::now();
    for _ in 0..n {
        std::hint::black_box(render::render_user(&parts, &all).to_string());
    }
    println!("render+print {:?}", t.elapsed() / n);
}
