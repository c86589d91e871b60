"""Canaille as it is, in memory, with an application that it pushes to: canaille_idp.py SCIM_ADDRESS SCIM_TOKEN

Prints `ready PORT` and ends with its standard input. Two paths stand beside Canaille's own:
  GET /-/state       its people and groups, from its own storage
  POST /-/rename     {"kind", "id", "name"}: another name for a user or a group, as `canaille set` gives it; its SCIM server cannot
"""

import datetime
import os
import pathlib
import sys

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import pydantic._internal._fields  # noqa: E402
from canaille import create_app  # noqa: E402
from canaille.app import models  # noqa: E402
from canaille.backends import Backend  # noqa: E402
from canaille_server import serve  # noqa: E402
from joserfc.jwk import JWKRegistry  # noqa: E402

OUTSIDER = "outsider"

# For every push Canaille makes its models of the hub's schemas anew, and pydantic reads the source of the calling functions for their
# documentation, which is more than half of the time of a push and of no use here. Nothing of Canaille or its SCIM libraries is changed.
pydantic._internal._fields._update_fields_from_docstrings = lambda *_, **__: None


def make_app(port, address, token):
    key = JWKRegistry.generate_key("RSA", 2048)
    key.ensure_kid()
    app = create_app(config={
        "SECRET_KEY": "test-only", "SERVER_NAME": f"127.0.0.1:{port}", "PREFERRED_URL_SCHEME": "http", "WTF_CSRF_ENABLED": False,
        "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False, "HTMX": False, "CAPTCHA_ENABLED": False,
                     "ACL": {"DEFAULT": {"PERMISSIONS": ["edit_self", "use_oidc"]}}},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)], "USERINFO_MAPPING": {"SUB": "{{ user.id }}"}},
        "CANAILLE_SCIM": {"ENABLE_CLIENT": True, "ENABLE_SERVER": True}})
    with app.app_context():
        save = Backend.instance.save
        # Saved while there is no application yet, so the hub never hears of this person.
        save(models.User(user_name=OUTSIDER, formatted_name="Out Sider", family_name="Sider", emails=["outsider@example.com"]))
        client = models.Client(
            client_id="rollcall", client_secret="rollcall-secret-0123456789", client_name="Rollcall", client_uri=address,
            redirect_uris=["http://127.0.0.1:9999/cb"], grant_types=["authorization_code"], response_types=["code"],
            scope=["openid", "profile", "email", "groups"], token_endpoint_auth_method="client_secret_basic")
        save(client)
        client.audience = [client]
        save(client)
        # Canaille sends the first valid token of the application that has no subject: here the source's.
        now = datetime.datetime.now(datetime.timezone.utc)
        save(models.Token(token_id="scim", access_token=token, client=client, audience=[client], type="access_token", scope=["openid"],
                          issue_date=now, lifetime=10 * 365 * 86400))
    return app


def state():
    query = Backend.instance.query
    people = [{"id": user.id, "user_name": user.user_name, "emails": user.emails, "family_name": user.family_name,
               "display_name": user.display_name, "active": user.lock_date is None} for user in query(models.User)]
    groups = [{"id": group.id, "name": group.display_name, "members": [user.id for user in group.members]} for group in query(models.Group)]
    return {"people": people, "groups": groups}


def rename(wanted):
    model, attribute = {"user": (models.User, "user_name"), "group": (models.Group, "display_name")}[wanted["kind"]]
    renamed = Backend.instance.get(model, wanted["id"])
    setattr(renamed, attribute, wanted["name"])
    Backend.instance.save(renamed)
    return {}


serve(lambda port: make_app(port, *sys.argv[1:3]), {"/-/state": lambda _: state(), "/-/rename": rename})
