"""When a stream is sampled, and which claimed times are believed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from upstander.watch.pace import LONG_GAP_MS, WIDEST_S, Pace, Timeline

times = st.one_of(st.none(), st.floats(-1e15, 1e15))


@given(st.lists(st.tuples(times, st.floats(0, 1e6)), max_size=50), st.booleans())
def test_offsets_never_go_backwards_whatever_a_stream_claims(
    claims: list[tuple[float | None, float]], live: bool
) -> None:
    timeline, wall, last = Timeline(live=live), 0.0, 0
    for claimed, passed in claims:
        wall += passed
        offset = timeline.at(claimed, wall)
        assert offset >= last
        last = offset
    if live and claims:
        assert last <= wall - claims[0][1] + 50_000 + 10_000 * len(claims)


def test_good_times_are_believed_and_wrong_ones_bridged() -> None:
    timeline = Timeline()
    assert [timeline.at(5_000 + n * 1_000, n * 1_000) for n in range(4)] == [0, 1_000, 2_000, 3_000]
    assert timeline.at(99_999_999, 4_000) == 4_000  # the wall clock goes on
    assert timeline.at(100_000_999, 5_000) == 5_000  # and the new count is followed
    assert timeline.at(None, 6_000) == 6_000
    assert timeline.at(0, 7_000) == 7_000
    assert timeline.wrong == 2


def test_one_sample_a_second_and_one_more_where_the_scene_changes() -> None:
    pace, looked = Pace(), []
    for offset in (0, 1_000, 2_000, 2_400, 3_400, 4_400):
        changed = pace.key(offset)
        if pace.due(offset, changed):
            looked.append((offset, changed))
    assert looked == [(0, False), (1_000, False), (2_000, False), (2_400, True), (3_400, False), (4_400, False)]
    often = Pace()
    assert [at for at in range(0, 2_000, 100) if often.due(at)] == [0, 800, 1_600]


def test_rare_key_frames_have_every_frame_decoded() -> None:
    pace = Pace()
    for offset in range(0, 6 * LONG_GAP_MS, 2 * LONG_GAP_MS):
        pace.key(offset)
    assert pace.every_frame


def test_sampling_slows_down_when_it_falls_behind_and_comes_back() -> None:
    pace = Pace()
    pace.behind(0, 0)
    assert pace.behind(1_000, 4_000)  # three seconds late
    assert pace.interval_s == 2.0
    late = 3_000
    for second in range(2, 8):
        late += 2_000
        pace.behind(second * 1_000, second * 1_000 + late)
    assert pace.interval_s == WIDEST_S
    for second in range(8, 80):
        pace.behind(second * 1_000, second * 1_000 + late)
    assert pace.interval_s == 1.0


def test_what_models_ask_for_is_the_least_interval() -> None:
    pace = Pace(floor_s=4.0)
    assert [at for at in range(0, 10_000, 1_000) if pace.due(at)] == [0, 4_000, 8_000]
