"""What the files test_statements_*.py share: rules, sessions that stay, and the end of a connection."""

import mqtt
import pytest
from wire import Closed, Wire

KEEP = {"session_expiry_interval": 3600}
# The user `mute` may do everything but use topics below mute/.
ACL = {"roles": {"all": ["allow all #"], "mute": ["deny all mute/#", "allow all #"]}}


def opened(broker, version, client_id, *, more=None, **options):
    """A connection whose session stays; `more`: other properties of CONNECT, in 5.0."""
    props = {"props": {**KEEP, **(more or {})}} if version == 5 else {}
    return Wire(broker, version, client_id=client_id, clean=False, **props, **options)


def answer_of(client):
    """The one packet that the broker sends before it closes; None if it closes at once."""
    try:
        packet = client.read()
    except Closed:
        return None
    with pytest.raises(Closed):
        client.read()
    return packet


def closed_with(client, *reasons):
    """The broker closes: without a packet in 3.1.1, with DISCONNECT and one of these reasons in 5.0."""
    said = answer_of(client)
    assert (said is None) if client.version == 4 else (said.kind == mqtt.DISCONNECT and said.reason in reasons), said
