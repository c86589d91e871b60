"""Shapes of long work: lists that no index serves, plans of a whole tenant, filters on a group's members, expressions."""

import urllib.parse

from hub import Client

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
# A filter may have a hundred terms.
TERMS = 100
MEMBERS = 10_000


def over_scim(tenant, method, path, body=None, base=None, token=None):
    """Every connection sends the same request with a token of the tenant."""
    client = (tenant.hub.port, token or tenant.token)
    return lambda _: (Client(*client), lambda client: client.send(method, f"{base or tenant.base}{path}", body)[0])


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
    return lambda _: (Client(tenant.hub.port, tenant.reader), lambda client: client.send("GET", path)[0])


def group_patch(tenant):
    group = tenant.group("Everybody", tenant.people[:MEMBERS])
    operations = [{"op": "remove", "path": f'members[display co "z{n}"]'} for n in range(1_000)]
    return over_scim(tenant, "PATCH", f"/Groups/{group}", {"schemas": [PATCH], "Operations": operations})


def group_patch_of_few_filters(tenant):
    group = tenant.group("Everybody else", tenant.people[:MEMBERS])
    operations = [{"op": "remove", "path": f'members[display co "z{n}"]'} for n in range(25)]
    return over_scim(tenant, "PATCH", f"/Groups/{group}", {"schemas": [PATCH], "Operations": operations})


def mapping_preview(tenant):
    client = tenant.scim()
    values = [{"value": f"v{n}" + "x" * 100} for n in range(100)]
    tests = "||".join(['user.displayName.contains("zz")'] * 11)
    for number in range(20):
        person = {"userName": f"large{number}@abuse.example", "displayName": "z" * 250, "urn:example:hr": {"l": values}}
        client.send("POST", f"{tenant.base}/Users", person)
    client.close()
    expression = f'user["urn:example:hr"].l.exists(e,{tests})?"a":"b"'
    mapping = {key: expression for key in ("email", "display_name", "given_name", "family_name")}
    body = {"source_id": tenant.source, "mapping": mapping, "sample": 20}
    path = "/api/v1/policy/mapping/preview"
    return lambda _: (Client(tenant.hub.port, tenant.key), lambda client: client.send("POST", path, body)[0])


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
    mapping_preview,
    who_goes_away,
]
