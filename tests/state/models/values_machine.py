"""Values against a dictionary."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import rule

from penstock.v1 import state_pb2 as pb
from tests.state.entries import seconds
from tests.state.models.choices import REPLICA
from tests.state.models.machine import StoreMachine
from tests.state.models.served import Served

# Keys that a pattern, a separator or a hash tag could take for something else.
KEYS = ("a", "a:b", "a*", "{a}", "{a}b", "a%", "a_", "aé", "b\x00", "}{", "ключ", "k" * 1024)
_tenants = count()

KEY = st.sampled_from(KEYS)
EXPIRY = st.sampled_from([None, pb.Expiry(never=True), pb.Expiry(ttl=seconds(3600)), pb.Expiry(ttl=seconds(7200))])
METADATA = st.sampled_from([None, pb.ValueMetadata(), pb.ValueMetadata(entries={"type": "text", "é": "1"})])


@dataclass
class Known:
    """Represents what a value should be."""

    data: bytes
    version: int
    metadata: dict[str, str] = field(default_factory=dict)
    expires: bool = False


class ValuesMachine(StoreMachine):
    """Does to the values of two tenants what it does to a dictionary, and compares."""

    def __init__(self, served: Served) -> None:
        super().__init__(served)
        number = next(_tenants)
        # One tenant's name and a key together read like the other's and another key.
        self.tenants = (f"t{number}", f"t{number}:a")
        self.known: dict[tuple[str, str], Known] = {}
        self.newest: dict[tuple[str, str], int] = {}

    def _write(
        self,
        place: tuple[str, str],
        version: int,
        data: bytes,
        expiry: pb.Expiry | None,
        notes: pb.ValueMetadata | None,
    ) -> None:
        before = self.known.get(place)
        assert version > self.newest.get(place, 0), "a version came twice"
        metadata = dict(before.metadata) if before else {}
        expires = before.expires if before else False
        self.known[place] = Known(
            data,
            version,
            metadata if notes is None else dict(notes.entries),
            expires if expiry is None else not expiry.never,
        )
        self.newest[place] = version

    @rule(at=REPLICA, who=REPLICA, key=KEY, data=st.binary(max_size=20), expiry=EXPIRY, notes=METADATA)
    def set(
        self, at: int, who: int, key: str, data: bytes, expiry: pb.Expiry | None, notes: pb.ValueMetadata | None
    ) -> None:
        tenant = self.tenants[who]
        request = pb.SetValueRequest(tenant=tenant, key=key, data=data, expiry=expiry, metadata=notes)
        answer = self.served.ask(lambda house: house.values.SetValue(request), at)
        self._write((tenant, key), answer.version, data, expiry, notes)

    @rule(
        at=REPLICA,
        who=REPLICA,
        key=KEY,
        data=st.binary(max_size=20),
        expiry=EXPIRY,
        notes=METADATA,
        condition=st.sampled_from(["current", "stale", "made up", "must_exist", "must_not_exist"]),
    )
    def swap(
        self,
        at: int,
        who: int,
        key: str,
        data: bytes,
        expiry: pb.Expiry | None,
        notes: pb.ValueMetadata | None,
        condition: str,
    ) -> None:
        place = (self.tenants[who], key)
        known = self.known.get(place)
        request = pb.CompareAndSetValueRequest(tenant=place[0], key=key, data=data, expiry=expiry, metadata=notes)
        if condition == "must_exist":
            request.must_exist = True
            fits = known is not None
        elif condition == "must_not_exist":
            request.must_not_exist = True
            fits = known is None
        else:
            newest = self.newest.get(place, 0)
            request.version_is = {"current": newest, "stale": newest - 1, "made up": newest + 1000}[condition]
            fits = known is not None and condition == "current"
        answer = self.served.ask(lambda house: house.values.CompareAndSetValue(request), at)
        assert answer.applied == fits
        if fits:
            self._write(place, answer.version, data, expiry, notes)
        else:
            assert answer.version == (known.version if known else 0)

    @rule(at=REPLICA, who=REPLICA, key=KEY, condition=st.sampled_from(["any", "current", "stale"]))
    def delete(self, at: int, who: int, key: str, condition: str) -> None:
        place = (self.tenants[who], key)
        known = self.known.get(place)
        newest = self.newest.get(place, 1)
        version = {"any": 0, "current": newest, "stale": newest - 1 or newest + 1}[condition]
        request = pb.DeleteValueRequest(tenant=place[0], key=key, version=version)
        answer = self.served.ask(lambda house: house.values.DeleteValue(request), at)
        fits = known is not None and condition != "stale"
        assert answer == pb.DeleteValueResponse(
            deleted=fits, current_version=known.version if known and not fits else 0
        )
        if fits:
            del self.known[place]

    @rule(at=REPLICA, who=REPLICA, key=KEY)
    def expire(self, at: int, who: int, key: str) -> None:
        """Lets a value expire, by waiting until it has."""
        place = (self.tenants[who], key)
        request = pb.SetValueRequest(tenant=place[0], key=key, data=b"short", expiry=pb.Expiry(ttl=seconds(0.001)))
        answer = self.served.ask(lambda house: house.values.SetValue(request), at)
        self.newest[place] = answer.version
        self.known.pop(place, None)
        get = pb.GetValueRequest(tenant=place[0], key=key)
        while self.served.ask(lambda house: house.values.GetValue(get), at).HasField("value"):
            pass  # time passes by asking

    @rule(at=REPLICA, who=REPLICA, key=KEY)
    def get(self, at: int, who: int, key: str) -> None:
        place = (self.tenants[who], key)
        request = pb.GetValueRequest(tenant=place[0], key=key)
        answer = self.served.ask(lambda house: house.values.GetValue(request), at)
        known = self.known.get(place)
        if known is None:
            assert not answer.HasField("value")
        else:
            self._compare(answer.value, key, known)

    @rule(
        at=REPLICA,
        who=REPLICA,
        prefix=st.sampled_from(["", "a", "a:", "{a}", "}", "к", "k" * 1024, "*", "zz"]),
        size=st.integers(1, 5),
        keys_only=st.booleans(),
    )
    def list(self, at: int, who: int, prefix: str, size: int, keys_only: bool) -> None:
        tenant = self.tenants[who]
        found: list[pb.StoredValue] = []
        token = ""
        while True:
            request = pb.ListValuesRequest(
                tenant=tenant, prefix=prefix, page_size=size, page_token=token, keys_only=keys_only
            )
            page = self.served.ask(lambda house, request=request: house.values.ListValues(request), at)
            found += page.values
            token = page.next_page_token
            if not token:
                break
        keys = sorted((key for owner, key in self.known if owner == tenant and key.startswith(prefix)), key=str.encode)
        assert [value.key for value in found] == keys
        for value in found:
            known = self.known[tenant, value.key]
            self._compare(value, value.key, replace(known, data=b"") if keys_only else known)

    def _compare(self, value: pb.StoredValue, key: str, known: Known) -> None:
        assert (value.key, value.data, value.version) == (key, known.data, known.version)
        assert dict(value.metadata) == known.metadata
        assert value.HasField("expire_time") == known.expires
        assert value.create_time.ToNanoseconds() <= value.update_time.ToNanoseconds()
