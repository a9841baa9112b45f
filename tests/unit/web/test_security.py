"""Who may connect, decided from headers."""

import pytest

from vnquant.errors import ParameterError
from vnquant.web import BroadcastConfig, Refusal
from vnquant.web.config import is_loopback
from vnquant.web.security import AccessPolicy, new_token, offered_subprotocols, subprotocols_with

TOKEN = "t0ken"
OURS = ["127.0.0.1:8080"]


@pytest.fixture
def policy() -> AccessPolicy:
    return AccessPolicy(TOKEN, 8080, allowed_hosts=("Desk.example:8080",), allowed_origins=("https://desk/",))


def asked(policy, hosts=OURS, origins=(), authorization=f"Bearer {TOKEN}", protocols=()):
    return policy.refuses_socket(hosts, origins, authorization, protocols)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080", "desk.example:8080"]
)
def test_our_own_names_are_let_in(policy, host):
    assert asked(policy, [host]) is None
    assert asked(policy, [host], [f"http://{host}"]) is None


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["127.0.0.1"],
        ["127.0.0.1:80"],
        ["evil.example:8080"],
        ["127.0.0.1:8080.evil.example"],
        OURS * 2,
    ],
)
def test_a_foreign_missing_or_repeated_host_is_refused(policy, hosts):
    assert asked(policy, hosts) is Refusal.HOST
    assert policy.refuses_page(hosts) is Refusal.HOST


@pytest.mark.parametrize(
    "origins",
    [["null"], [""], ["http://evil.example"], ["https://127.0.0.1:8080"], ["http://127.0.0.1:9999"],
     ["http://127.0.0.1:8080", "http://127.0.0.1:8080"], ["http://127.0.0.1:8080.evil.example"]],
)  # fmt: skip
def test_a_foreign_origin_is_refused_even_with_the_token(policy, origins):
    assert asked(policy, origins=origins) is Refusal.ORIGIN


def test_an_origin_that_was_allowed_is_let_in(policy):
    assert asked(policy, origins=["https://desk"]) is None


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer t0ke", "Bearer t0kenn", TOKEN, "Bearer \udcff"]
)
def test_a_missing_or_wrong_token_is_refused(policy, authorization):
    assert asked(policy, authorization=authorization) is Refusal.TOKEN


def test_a_request_is_one_guess(policy):
    assert asked(policy, authorization=None, protocols=subprotocols_with(TOKEN)) is None
    assert asked(policy, protocols=subprotocols_with("other")) is Refusal.TOKEN
    assert (
        asked(policy, authorization=None, protocols=[*subprotocols_with("other"), *subprotocols_with(TOKEN)])
        is Refusal.TOKEN
    )


def test_on_the_usual_port_names_come_without_it():
    policy = AccessPolicy(TOKEN, 80)
    assert asked(policy, ["localhost"], ["http://localhost"]) is None


def test_tokens_differ_and_are_safe_in_a_url_and_as_a_subprotocol():
    tokens = {new_token() for _ in range(50)}
    assert len(tokens) == 50
    assert all(
        len(token) >= 43 and set(token) <= set("-_" + "".join(map(chr, range(128))).translate({}))
        for token in tokens
    )
    assert all(token.replace("-", "").replace("_", "").isalnum() for token in tokens)


def test_the_policy_does_not_show_its_token(policy):
    assert TOKEN not in repr(policy)


def test_subprotocols_come_in_one_header_or_several():
    assert offered_subprotocols(["a, b", "c,"]) == ("a", "b", "c")


def test_statuses_tell_what_to_change():
    assert [refusal.status for refusal in Refusal] == [403, 403, 401, 503]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("", False), ("::", False), ("192.168.1.2", False), ("desk.example", False)],
)  # fmt: skip
def test_only_loopback_is_open_without_naming_hosts(host, loopback):
    assert is_loopback(host) is loopback
    if loopback:
        BroadcastConfig(host=host)
    else:
        with pytest.raises(ParameterError, match="allowed_hosts"):
            BroadcastConfig(host=host)
        BroadcastConfig(host=host, allowed_hosts=("desk.example:8080",))


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_clients", 0), ("heartbeat_s", -1.0), ("stall_s", float("nan")), ("port", 70_000),
     ("snapshot_events", -1), ("replay_messages", 300), ("replay_bytes", 1 << 20)],
)  # fmt: skip
def test_bounds_that_make_no_sense_are_refused(field, value):
    with pytest.raises(ParameterError, match=field) as caught:
        BroadcastConfig(**{field: value})
    assert caught.value.name == field
