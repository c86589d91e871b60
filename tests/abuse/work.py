"""Shapes of long work: lists that no index serves, plans of a whole tenant, filters on a group's members, expressions."""

import urllib.parse

from hub import BULK, Client

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
# A filter may have a hundred terms.
TERMS = 100
MEMBERS = 10_000
# A list of some thousand people that is not refused.
COSTLY = " or ".join(f'schemas co "z{n}" or emails.type eq "z{n}"' for n in range(25))


def over_scim(tenant, method, path, body=None):
    """Every connection sends the same request with the token of the source."""
    return over(tenant.hub, tenant.token, method, f"{tenant.base}{path}", body)


def over(hub, secret, method, path, body=None):
    return lambda _: (Client(hub.port, secret), lambda client: client.send(method, path, body)[0])


def each_over_its_own(strikes):
    """The connections take turns in these strikes."""
    return lambda number: strikes[number % len(strikes)](number)


def listing(filter_text, more=""):
    return f"/Users?filter={urllib.parse.quote(filter_text)}{more}"


def any_of(term):
    return " or ".join(term.format(n) for n in range(TERMS))


def computed_attribute(tenant):
    return over_scim(tenant, "GET", listing(any_of('schemas co "z{}"')))


def few_terms(tenant):
    """As many terms as an estimate lets pass."""
    return over_scim(tenant, "GET", listing('schemas co "z0" or schemas co "z1"'))


def other_computed_attributes(tenant):
    return over_scim(tenant, "GET", listing(" or ".join(f'meta.location co "z{n}" or groups.display co "z{n}"' for n in range(TERMS // 2))))


def nested_not(tenant):
    return over_scim(tenant, "GET", listing("not (" * 20 + 'emails.type eq "z"' + ")" * 20))


def custom_attribute(tenant):
    return over_scim(tenant, "GET", listing('urn:example:hr:costCenter co "c1"', "&count=1000"))


def sort_by_custom_attribute(tenant):
    return over_scim(tenant, "GET", "/Users?sortBy=urn:example:hr:badge&count=10")


def search(tenant):
    body = {"schemas": [SEARCH], "filter": any_of('name.formatted co "z{}"'), "sortBy": "title"}
    return over_scim(tenant, "POST", "/Users/.search", body)


def everything_search(tenant):
    body = {"schemas": [SEARCH], "filter": 'displayName co "zz"', "count": 1000}
    return over_scim(tenant, "POST", "/.search", body)


def detachment(tenant):
    """With a key that may only read."""
    path = f"/api/v1/sources/{tenant.source}/detachment?people=remove"
    return over(tenant.hub, tenant.api_key("member"), "GET", path)


def group_patch(tenant):
    group = tenant.group("Everybody", tenant.people[:MEMBERS])
    operations = [{"op": "remove", "path": f'members[display co "z{n}"]'} for n in range(1_000)]
    return over_scim(tenant, "PATCH", f"/Groups/{group}", {"schemas": [PATCH], "Operations": operations})


def group_patch_of_few_filters(tenant):
    group = tenant.group("Everybody else", tenant.people[:MEMBERS])
    operations = [{"op": "remove", "path": f'members[display co "z{n}"]'} for n in range(25)]
    return over_scim(tenant, "PATCH", f"/Groups/{group}", {"schemas": [PATCH], "Operations": operations})


def bulk_of_group_patches(tenant):
    group = tenant.group("Everybody in parts", tenant.people[:MEMBERS])
    patch = {"schemas": [PATCH], "Operations": [{"op": "remove", "path": 'members[display co "zz"]'}]}
    one = {"method": "PATCH", "path": f"/Groups/{group}", "data": patch}
    return over_scim(tenant, "POST", "/Bulk", {"schemas": [BULK], "Operations": [one] * 500})


def laborious(tenant):
    """The expressions that cost the most, for people who make them cost the most."""
    client = tenant.scim()
    values = [{"value": f"v{n}" + "x" * 100} for n in range(100)]
    tests = "||".join(['user.displayName.contains("zz")'] * 11)
    for number in range(20):
        person = {"userName": f"large{number}@abuse.example", "displayName": "z" * 250, "urn:example:hr": {"l": values}}
        client.send("POST", f"{tenant.base}/Users", person)
    client.close()
    expression = f'user["urn:example:hr"].l.exists(e,{tests})?"a":"b"'
    return {key: expression for key in ("email", "display_name", "given_name", "family_name")}, values


def mapping_preview(tenant):
    mapping, _ = laborious(tenant)
    body = {"source_id": tenant.source, "mapping": mapping, "sample": 20}
    return over(tenant.hub, tenant.api_key("owner"), "POST", "/api/v1/policy/mapping/preview", body)


def mapping_of_one_source(tenant):
    """In force, in the policy of a single source, while its people change all the time."""
    victim = tenant.hub.tenant("Attacker by expressions")
    mapping, values = laborious(victim)
    client = Client(victim.hub.port, victim.api_key("owner"))
    client.expect(200, "PATCH", "/api/v1/policy", {"policy": {"sources": {victim.source: {"mapping": mapping}}}})

    def strike(number):
        counter = iter(range(1_000_000))

        def blow(client):
            name = f"x{number}-{next(counter)}@abuse.example"
            person = {"userName": name, "displayName": "z" * 250, "urn:example:hr": {"l": values}}
            return client.send("POST", f"{victim.base}/Users", person)[0]

        return victim.scim(), blow

    return strike


def many_sources(tenant):
    """A list that costs as much as may, over four sources of the tenant."""
    sources = [tenant.further_source() for _ in range(4)]
    for source in sources:
        source.load(tenant.few)
    return each_over_its_own([over_scim(source, "GET", listing(COSTLY)) for source in sources])


def many_tenants(tenant):
    """The same by eight tenants, each with a little."""
    tenants = [tenant.hub.tenant(f"Accomplice {number}") for number in range(8)]
    for one in tenants:
        one.load(tenant.few)
    return each_over_its_own([over_scim(one, "GET", listing(COSTLY)) for one in tenants])


def deep_pages(tenant):
    """The last page of everybody, which an index serves."""
    return over_scim(tenant, "GET", f"/Users?startIndex={len(tenant.people) - 100}&count=100")


def who_goes_away(tenant):
    """Closes each connection after a moment, while its statement runs."""
    path = tenant.base + listing('schemas co "z0" or schemas co "z1"')

    def blow(client):
        client.timeout = 0.2
        return client.send("GET", path)[0]

    return lambda _: (Client(tenant.hub.port, tenant.token), blow)


SHAPES = [
    computed_attribute,
    few_terms,
    other_computed_attributes,
    nested_not,
    custom_attribute,
    sort_by_custom_attribute,
    search,
    everything_search,
    detachment,
    group_patch,
    group_patch_of_few_filters,
    bulk_of_group_patches,
    mapping_preview,
    mapping_of_one_source,
    many_sources,
    many_tenants,
    deep_pages,
    who_goes_away,
]
