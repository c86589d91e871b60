"""Canaille as it is, in memory, as an OpenID provider: canaille_provider.py REDIRECT_URI AFTER_LOGOUT_URI

Prints `ready PORT` and ends with its standard input. One path stands beside Canaille's own:
  POST /-/people     {"ann": {"email": …}}: makes the people that are not there; each has the password "NAME-password-1"
"""

import os
import pathlib
import sys

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from canaille import create_app  # noqa: E402
from canaille.app import models  # noqa: E402
from canaille.backends import Backend  # noqa: E402
from canaille_server import serve  # noqa: E402
from joserfc.jwk import JWKRegistry  # noqa: E402


def make_app(port, redirect, after_logout):
    key = JWKRegistry.generate_key("RSA", 2048)
    key.ensure_kid()
    app = create_app(config={
        "SECRET_KEY": "test-only", "SERVER_NAME": f"127.0.0.1:{port}", "PREFERRED_URL_SCHEME": "http", "WTF_CSRF_ENABLED": False,
        "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False, "HTMX": False, "CAPTCHA_ENABLED": False,
                     "ACL": {"DEFAULT": {"PERMISSIONS": ["edit_self", "use_oidc"]}}},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)], "USERINFO_MAPPING": {"SUB": "{{ user.id }}"}}})
    with app.app_context():
        save = Backend.instance.save
        client = models.Client(
            client_id="rollcall", client_secret="rollcall-secret-0123456789", client_name="Rollcall", client_uri=redirect,
            redirect_uris=[redirect], post_logout_redirect_uris=[after_logout], grant_types=["authorization_code"], response_types=["code"],
            scope=["openid", "profile", "email", "groups"], token_endpoint_auth_method="client_secret_basic",
            id_token_signed_response_alg="RS256")
        save(client)
        client.audience = [client]
        save(client)
    return app


def add(people):
    there = {user.user_name for user in Backend.instance.query(models.User)}
    for name, claims in people.items():
        if name not in there:
            Backend.instance.save(models.User(user_name=name, formatted_name=name.title(), family_name=name.title(),
                                              emails=[claims["email"]], password=f"{name}-password-1"))


serve(lambda port: make_app(port, *sys.argv[1:3]), {"/-/people": add})
