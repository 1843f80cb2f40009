# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes as sensors send them, and as nobody should: no exception but one, no invented sample."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.bluetooth import movesense, polar
from devices.bluetooth.gatt import BadFrameError, decode_battery, decode_heart_rate
from tests.devices.bluetooth.straps import H10, Movesense, int24, sample_uv


def h10_frame(
    kind: int = 0, time_ns: int = 599_616_000_000_000_000, form: int = 0, body: bytes = b""
) -> bytes:
    return struct.pack("<BQB", kind, time_ns, form) + body


def test_a_frame_of_an_h10() -> None:
    uv = np.array([0, 1, -1, 20_000, -20_000, 255, -256, 65_535, -65_536])
    frame = polar.decode_ecg(h10_frame(body=int24(uv)))
    assert frame.time_ns == 599_616_000_000_000_000
    assert frame.uv.tolist() == uv.tolist()


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (b"", "short"),
        (h10_frame(), "short"),
        (h10_frame(body=b"\0\0"), "short"),
        (h10_frame(body=bytes(505)), "long"),
        (h10_frame(kind=2, body=bytes(9)), "another measurement"),
        (h10_frame(form=0x80, body=bytes(9)), "compressed"),
        (h10_frame(form=1, body=bytes(9)), "unknown type"),
        (h10_frame(form=3, body=bytes(9)), "unknown type"),
        (h10_frame(body=bytes(10)), "within a sample"),
        (h10_frame(time_ns=0, body=bytes(9)), "impossible time"),
        (h10_frame(time_ns=2**64 - 1, body=bytes(9)), "impossible time"),
        (h10_frame(body=int24(np.array([0, 8_388_607]))), "impossible samples"),
        (h10_frame(body=int24(np.array([0, -8_388_608]))), "impossible samples"),
    ],
)
def test_frames_of_an_h10_that_are_rejected(frame: bytes, what: str) -> None:
    with pytest.raises(BadFrameError, match=what):
        polar.decode_ecg(frame)


def test_settings_and_answers_of_an_h10() -> None:
    reply = polar.decode_reply(bytes.fromhex("f0010000000001820001010e00"))
    assert (reply.command, reply.measurement, reply.status, reply.more) == (1, 0, 0, False)
    assert polar.decode_settings(reply.parameters) == {0: (130,), 1: (14,)}
    assert polar.decode_settings(bytes.fromhex("00028200f401")) == {0: (130, 500)}
    assert polar.decode_reply(bytes.fromhex("f003000000")).parameters == b""
    assert polar.decode_reply(bytes.fromhex("f002000a")).status == 10
    for bad in ("", "f0", "0f05000000", "f00200"):
        with pytest.raises(BadFrameError):
            polar.decode_reply(bytes.fromhex(bad))
    for bad in ("09018200", "000282", "00", "000182"):
        with pytest.raises(BadFrameError):
            polar.decode_settings(bytes.fromhex(bad))


def test_both_forms_of_a_movesense() -> None:
    uv = sample_uv(np.arange(16))
    steps = struct.pack("<I", 77) + uv.astype("<i4").tobytes()
    payload = movesense.decode_ecg(steps, 1)
    assert payload.time_ms == 77
    assert payload.uv == pytest.approx(uv * 0.381469726563, abs=1e-9)
    whole = struct.pack("<I", 78) + uv.astype("<i2").tobytes()
    payload = movesense.decode_ecg(whole, 2)
    assert (payload.time_ms, payload.uv.tolist()) == (78, uv.tolist())
    for data, form in ((steps, 2), (whole, 1), (steps[:-1], 1), (b"", 1), (whole + b"\0", 2)):
        with pytest.raises(BadFrameError):
            movesense.decode_ecg(data, form)
    with pytest.raises(BadFrameError, match="impossible"):
        movesense.decode_ecg(bytes(64) + b"\0\0\0\x7f", 1)


def good(items: list[movesense.EcgPayload | BadFrameError]) -> list[movesense.EcgPayload]:
    return [item for item in items if isinstance(item, movesense.EcgPayload)]


def bad(items: list[movesense.EcgPayload | BadFrameError]) -> list[str]:
    return [str(item) for item in items if isinstance(item, BadFrameError)]


@pytest.mark.parametrize("mtu", [23, 40, 69, 75, 161, 517])
@pytest.mark.parametrize("path", ["/Meas/ECG/250", "/Meas/ECG/250/mV"])
def test_a_payload_in_parts_is_joined(mtu: int, path: str) -> None:
    sensor = Movesense(mtu=mtu)
    sensor.path, sensor.reference = path, 1 + path.endswith("mV")
    assembler = movesense.Assembler()
    for start in range(0, 160, 16):
        packets = [data for _, data in sensor.packets(start)]
        assert all(len(data) <= mtu - 3 for data in packets)
        items = [item for data in packets for item in assembler.add(data)]
        (payload,) = good(items)
        scale = 1 if path.endswith("mV") else 0.381469726563
        assert payload.uv == pytest.approx(sample_uv(np.arange(start, start + 16)) * scale)


def test_parts_that_miss_others_are_rejected_and_cost_no_more_than_their_own_frame() -> None:
    sensor = Movesense(mtu=23)
    sensor.reference, sensor.path = 1, "/Meas/ECG/250"
    assembler = movesense.Assembler()
    frames = [[data for _, data in sensor.packets(start)] for start in range(0, 64, 16)]
    assert len(frames[0]) == 4
    items = [item for data in (*frames[0][:2], *frames[1]) for item in assembler.add(data)]
    assert bad(items) == ["short frame"]
    assert [p.time_ms for p in good(items)] == [12_064]
    assert bad(assembler.add(frames[2][1])) == ["continuation without a beginning"]
    assert bad(assembler.add(b"\x02\x07abc")) == ["unknown frame"]
    assert bad(assembler.add(b"\x02")) == ["short frame"]
    assert len(good([i for data in frames[3] for i in assembler.add(data)])) == 1


@pytest.mark.parametrize(
    ("value", "bpm", "contact", "rr_s"),
    [
        ("16484003", 72, True, (0.8125,)),
        ("1048", 72, None, ()),
        ("0400", 0, False, ()),
        ("0648", 72, True, ()),
        ("014801", 328, None, ()),
        ("1e4800004003", 72, True, (0.8125,)),
        ("104840032003", 72, None, (0.8125, 0.78125)),
        ("0248", 72, None, ()),
    ],
)
def test_heart_rate(value: str, bpm: int, contact: bool | None, rr_s: tuple[float, ...]) -> None:
    pulse = decode_heart_rate(bytes.fromhex(value))
    assert (pulse.bpm, pulse.contact, pulse.rr_s) == (bpm, contact, rr_s)


@pytest.mark.parametrize("value", ["", "00", "0148", "0848", "104840", "084800"])
def test_heart_rates_that_are_cut_off(value: str) -> None:
    with pytest.raises(BadFrameError):
        decode_heart_rate(bytes.fromhex(value))


def test_battery() -> None:
    assert decode_battery(b"\x64") == 100
    for value in (b"", b"\x65", b"\x10\x10"):
        with pytest.raises(BadFrameError):
            decode_battery(value)


# Mostly nearly right, for chance alone hardly passes the first check.
anything = st.one_of(
    st.binary(max_size=600),
    st.builds(
        h10_frame,
        st.sampled_from([0, 0, 0, 2, 64]),
        st.one_of(st.integers(1, 2**62 - 1), st.integers(0, 2**64 - 1)),
        st.sampled_from([0, 0, 0, 1, 128]),
        st.binary(max_size=240),
    ),
    st.builds(lambda n, seed: H10().frame(seed, n), st.integers(1, 160), st.integers(0, 10**9)),
    st.builds(
        lambda head, body: bytes(head) + body,
        st.sampled_from([b"\x02\x01", b"\x03\x01", b"\x02\x02", b"\x03\x02"]),
        st.binary(min_size=0, max_size=80),
    ),
    st.builds(lambda body: b"\xf0" + body, st.binary(max_size=40)),
)


def polar_invents_nothing(frame: bytes) -> None:
    try:
        read = polar.decode_ecg(frame)
    except BadFrameError:
        return
    assert 10 + 3 * len(read.uv) == len(frame)
    assert frame == h10_frame(frame[0], read.time_ns, 0, int24(read.uv))
    assert np.abs(read.uv).max() <= 500_000


def movesense_invents_nothing(frame: bytes) -> None:
    for form, kind, length in ((1, "<i4", 68), (2, "<i2", 36)):
        try:
            read = movesense.decode_ecg(frame, form)
        except BadFrameError:
            continue
        assert len(frame) == length
        assert len(read.uv) == 16
        steps = np.round(read.uv / (0.381469726563 if form == 1 else 1)).astype(kind)
        assert struct.pack("<I", read.time_ms) + steps.tobytes() == frame


def others_invent_nothing(frame: bytes) -> None:
    for decode in (decode_heart_rate, decode_battery, polar.decode_reply, polar.decode_settings):
        try:
            decode(frame)
        except BadFrameError:
            continue


FUZZED: list[Callable[[bytes], None]] = [
    polar_invents_nothing,
    movesense_invents_nothing,
    others_invent_nothing,
]


@pytest.mark.parametrize("check", FUZZED)
@settings(max_examples=2000, deadline=None)
@given(frame=anything)
def test_fuzz(check: Callable[[bytes], None], frame: bytes) -> None:
    check(frame)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("check", FUZZED)
@settings(max_examples=100_000, deadline=None)
@given(frame=anything)
def test_fuzz_long(check: Callable[[bytes], None], frame: bytes) -> None:
    check(frame)


def assembles_nothing_that_was_not_sent(packets: list[bytes]) -> None:
    assembler = movesense.Assembler()
    sent = b"".join(packet[2:] for packet in packets)
    for packet in packets:
        for payload in good(assembler.add(packet)):
            assert struct.pack("<I", payload.time_ms) in sent


HEADS = tuple(itertools.product((2, 3, 3, 1), (1, 2, 1, 9), (18, 18, 14, 32, 64, 68, 36, 0)))
"""Kind and form of a part, and how many bytes follow."""

parts = st.builds(
    lambda heads, bodies: [
        bytes(HEADS[head][:2]) + bodies[68 * i :][: HEADS[head][2]] for i, head in enumerate(heads)
    ],
    st.lists(st.integers(0, len(HEADS) - 1), max_size=8),
    st.binary(min_size=8 * 68, max_size=8 * 68),
)


@settings(max_examples=2000, deadline=None)
@given(packets=parts)
def test_fuzz_assembler(packets: list[bytes]) -> None:
    assembles_nothing_that_was_not_sent(packets)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(4))
@settings(max_examples=25_000, deadline=None, derandomize=False)  # each part has examples of its own
@given(packets=parts)
def test_fuzz_assembler_long(part: int, packets: list[bytes]) -> None:
    assembles_nothing_that_was_not_sent(packets)
