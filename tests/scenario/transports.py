"""How clients reach the broker: the same scenarios run over each of these (pytest --transport NAME).

To add one: a class with its row in TRANSPORTS, and its name in meson.build; what a client does there first is in
wire.open_stream. A test that holds for some only says so: @pytest.mark.only_over("tls", "proxy"), with the reason in a comment."""

import itertools
import os

numbers = itertools.count(1)


class Tls:
    """As the file has it."""

    def change(self, listener, directory):
        pass


class WebSocket:
    """Over TLS. The path is the first of the defaults."""

    def change(self, listener, directory):
        listener.update(protocol="https", serve=["websocket"])


class Proxy:
    """Behind a proxy that passes TLS through and sends PROXY v2."""

    def change(self, listener, directory):
        listener.update(proxy_protocol="required", trusted=["127.0.0.0/8"])


class Unix:
    """Without TLS."""

    def change(self, listener, directory):
        listener["bind"] = f"unix:{directory}/{os.getpid()}-{next(numbers)}"


TRANSPORTS = {"tls": Tls(), "websocket": WebSocket(), "proxy": Proxy(), "unix": Unix()}
# What a short run takes of meson.build's list, over those other than TLS.
SHORT = {"malformed", "acl"}
# Of these the listener is not this module's to choose.
OWN_KEYS = {"protocol", "proxy_protocol"}


def change_listeners(name, config, directory):
    """All that are plain MQTT over TLS."""
    for listener in config["listeners"]:
        if not listener["bind"].startswith("unix:") and not OWN_KEYS & listener.keys():
            TRANSPORTS[name].change(listener, directory)
