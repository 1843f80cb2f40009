# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as a real browser shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.core.events import Alarm, AlarmKind, AlarmsSilenced, SenderSaid, State
from streamer.core.network.network import Network
from tests.ward.a_page import Fed, a_page, has_painted, text
from tests.ward.conftest import THEME, Running, until
from ward.bed import Beds
from ward.history import History
from ward.server import Serving, WardServer

TOKEN = "token="


def test_the_link_opens_the_ward_and_its_token_stays_nowhere(browser: Any, fed: Fed) -> None:
    with a_page(browser, fed) as page:
        assert TOKEN not in page.url
        assert fed.running.server.access.token not in page.content()
        assert page.evaluate("document.cookie") == ""
        assert page.locator(".tile .open").all_text_contents() == ["Window", "Door <b>2</b>"]


def test_without_the_token_the_page_asks_for_it(browser: Any, fed: Fed) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(fed.running.origin)
    page.locator("#token").fill("wrong")
    page.keyboard.press("Enter")
    assert until(lambda: text(page, "#refused"))
    assert page.locator(".tile").count() == 0
    page.locator("#token").fill(fed.running.server.access.token)
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile")
    assert page.locator("#login").is_hidden()
    context.close()


def test_a_tile_shows_a_measured_and_a_reconstructed_lead_and_the_rate(browser: Any, fed: Fed) -> None:
    with a_page(browser, fed) as page:
        assert has_painted(page, ".tile canvas", "#000000")
        assert until(lambda: text(page, ".bpm") == "60")
        assert text(page, ".limits") == "50-120"


def test_an_alarm_is_seen_and_said_and_silence_crosses_its_bell(browser: Any, fed: Fed) -> None:
    bed = fed.beds[1]
    with a_page(browser, fed) as page:
        bed.event(Alarm(AlarmKind.HIGH_RATE, True, "140 bpm, above 120"))
        page.wait_for_selector(f'[data-bed="{bed.number}"] .alarm:not([hidden])')
        name = AlarmKind.HIGH_RATE.value
        assert name in text(page, f'[data-bed="{bed.number}"] .alarm .sign.medium')
        assert until(lambda: name in text(page, "#alarms"))
        assert page.get_attribute("#alarms", "aria-live") == "assertive"
        page.goto(f"{fed.running.origin}/#bed-{bed.number}")
        page.locator("[data-do=silence]").click()
        page.wait_for_selector(".bed .bell.crossed")
        assert any(isinstance(event, AlarmsSilenced) for event in fed.running.told)
        bed.event(Alarm(AlarmKind.HIGH_RATE, False))
        page.wait_for_selector(".bed .alarm", state="hidden")


def test_what_a_beds_sender_says_is_seen_and_said_and_goes(browser: Any, fed: Fed) -> None:
    with a_page(browser, fed) as page:
        fed.beds[0].event(SenderSaid("alarm: heart rate high: 131 bpm, above 120"))
        page.wait_for_selector(".sign.bedside")
        assert "131 bpm" in text(page, ".sign.bedside") and "1 with alarms" in text(page, "body")
        assert "131 bpm" in str(page.locator(".tile .open").first.get_attribute("aria-label"))
        fed.beds[0].event(SenderSaid("alarm: heart rate high: over"))
        page.wait_for_selector(".sign.bedside", state="detached")


def test_urgent_beds_come_first_if_that_is_wanted_and_the_focus_stays(browser: Any, fed: Fed) -> None:
    with a_page(browser, fed) as page:
        page.locator("#urgent-first").check()
        page.locator(".tile .open").first.focus()
        fed.beds[1].event(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
        assert until(lambda: page.locator(".tile").first.get_attribute("data-bed") == str(fed.beds[1].number))
        assert page.evaluate("document.activeElement.textContent") == "Window"


def test_a_curtain_falls_2_s_after_the_last_sample_and_rises_with_the_next(browser: Any, fed: Fed) -> None:
    bed = fed.beds[0].number
    curtain = f'[data-bed="{bed}"] .curtain'
    with a_page(browser, fed) as page:
        page.wait_for_selector(curtain, state="hidden")
        fed.held.add(bed)
        page.wait_for_selector(f"{curtain}:not([hidden])")
        assert text(page, f'[data-bed="{bed}"] .bpm') == "--"
        assert page.locator(".tile").nth(1).locator(".curtain").is_hidden()
        fed.held.clear()
        page.wait_for_selector(curtain, state="hidden")


def test_what_came_late_after_a_hitch_is_drawn_at_once_and_does_not_stay_late(browser: Any, fed: Fed) -> None:
    """Packets of 40 ms, one in ten of them 10 ms late; for half a second none, then all of them."""
    with a_page(browser, fed) as page:
        behind_ms = page.evaluate(
            """async () => {
              const { Traces } = await import("./traces.js");
              const traces = new Traces(), behind = [];
              const due = [...Array(250).keys()].map((n) => {
                const when = n * 40 + (n % 10 === 9 ? 10 : 0);
                return when >= 6000 && when < 6500 ? 6500 : when;
              });
              let n = 0, before = -Infinity;
              for (let ms = 0; ms < 10000; ms += 16) {
                for (; n < due.length && due[n] <= ms; n++) {
                  const packet = { epoch: 1, rateHz: 250, start: 10 * n, count: 10, cameMs: 1, rows: [] };
                  traces.add(packet, due[n] / 1e3);
                }
                const edge = traces.edgeAt(ms / 1e3);
                if (edge < before || edge > traces.stop) throw new Error("not smooth");
                before = edge;
                behind.push([ms, (traces.stop - edge) * 4]);
              }
              return behind;
            }"""
        )
        steady = [behind for ms, behind in behind_ms if 1000 < ms < 6000 or ms > 6540]
        assert max(steady) <= 116  # a packet, what may be overdue, and a picture


def test_without_the_server_everything_is_old_and_it_comes_back_by_itself(
    browser: Any, fed: Fed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ward.server.AGAIN_S", 5.0)
    with a_page(browser, fed) as page:
        page.wait_for_selector(".curtain", state="hidden")
        server = fed.running.server._server
        assert server is not None
        server.should_exit = server.force_exit = True  # it is started again
        page.wait_for_selector(".tile .curtain:not([hidden])")
        page.wait_for_selector(".tile .curtain", state="hidden")


def test_a_bed_opens_by_keyboard_and_tells_measured_from_reconstructed(browser: Any, fed: Fed) -> None:
    with a_page(browser, fed) as page:
        page.locator(".tile .open").first.focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.textContent") == "Door <b>2</b>"
        page.keyboard.press("Enter")
        assert has_painted(page, ".bed canvas", "#000000")
        assert text(page, ".bed h2") == "Door <b>2</b>"
        label = page.get_attribute(".bed canvas", "aria-label")
        assert "measured" in label and "reconstructed" in label
        page.keyboard.press("Escape")
        page.wait_for_selector(".tile")
        assert page.evaluate("document.activeElement.textContent") == "Door <b>2</b>"


def test_of_a_bed_that_is_gone_nothing_is_said_but_that(browser: Any, fed: Fed) -> None:
    """As when it was renamed: another number shows it then."""
    bed = fed.beds[0]
    with a_page(browser, fed) as page:
        page.goto(f"{fed.running.origin}/#bed-{bed.number}")
        bed.event(Alarm(AlarmKind.HIGH_RATE, True, "140 bpm, above 120"))
        page.wait_for_selector(".bed .sign")
        fed.running.beds.remove(bed)
        page.wait_for_selector(".bed .curtain:not([hidden])")
        said = page.locator(".bed").inner_text()
        assert "there is no such bed" in said and "60" not in said and "bpm" not in said
        assert not page.locator("[data-do=silence]").is_visible()
        label = str(page.get_attribute(".bed canvas", "aria-label"))
        assert label == "there is no such bed"


def test_a_frozen_picture_stays_while_its_bed_goes(browser: Any, fed: Fed) -> None:
    with a_page(browser, fed) as page:
        page.goto(f"{fed.running.origin}/#bed-{fed.beds[0].number}")
        assert has_painted(page, ".bed canvas", "#000000")
        page.keyboard.press("Space")
        page.wait_for_selector(".frozen:not([hidden])")
        fed.running.beds.remove(fed.beds[0])
        page.wait_for_selector(".bed aside", state="hidden")
        assert page.locator(".bed .curtain").is_hidden()
        page.keyboard.press("Space")
        page.wait_for_selector(".bed .curtain:not([hidden])")


@pytest.mark.parametrize("look", ["light", "dark"])
def test_what_is_wrong_has_the_colour_of_warnings_everywhere(browser: Any, fed: Fed, look: str) -> None:
    fed.beds[0].event(Alarm(AlarmKind.HIGH_RATE, True, "140 bpm, above 120"))
    fed.beds[1].end(State.RECONNECTING, "the link broke")
    fed.held.add(fed.beds[1].number)
    with a_page(browser, fed, look=look) as page:
        page.wait_for_selector(".tile .state.wrong")
        pale = """() => {
          const probe = document.body.appendChild(document.createElement("p"));
          probe.className = "wrong";
          const warning = getComputedStyle(probe).color;
          probe.remove();
          return [...document.querySelectorAll(".wrong")].filter(e => getComputedStyle(e).color !== warning)
            .map(e => `${e.className}: ${e.textContent}`);
        }"""
        assert page.evaluate(pale) == []
        page.goto(f"{fed.running.origin}/#bed-{fed.beds[1].number}")
        page.wait_for_selector(".bed dd.wrong")
        assert page.evaluate(pale) == []


BROKEN = """() => {
  const broken = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    if (texts.currentNode.parentElement.closest("#alarms, script, option")) continue;
    for (const word of texts.currentNode.data.matchAll(/(?<![^\\s(])\\p{L}{1,16}(?![^\\s,.:])/gu)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) broken.push(word[0]);
    }
  }
  return broken;
}"""
"""Words, but for names of files and the like, that stand on two lines."""


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1024, 768), (1600, 900)])
def test_no_word_is_broken(browser: Any, tmp_path: Path, network: Network, width: int, height: int) -> None:
    history = History(tmp_path / "ward.sqlite", print)
    beds = Beds(number_of=history.number_of, log=history.event)
    server = WardServer(beds, Serving(port=0), THEME, print, history)
    server.start()
    fed = Fed(Running(server, beds), network)
    bed = fed.add("Window")
    bed.event(Alarm(AlarmKind.SIGNAL_LOST, True, "nothing came for 3 s"))
    bed.end(State.RECONNECTING, "the link broke")
    try:
        with a_page(browser, fed, width, height) as page:
            for address, shown in (
                ("", ".tile"),
                ("bed-1", ".bed dd"),
                ("bed-1-trend", "td"),
                ("alarms", "td"),
            ):
                page.goto(f"{fed.running.origin}/#{address}")
                page.wait_for_selector(shown, state="attached")
                page.wait_for_timeout(300)
                assert page.evaluate(BROKEN) == [], address
                assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    finally:
        server.stop()


def test_enlarged_to_200_percent_each_row_of_a_bed_is_as_tall_as_its_name(browser: Any, fed: Fed) -> None:
    """Of a window of 1024x768; what has no room scrolls."""
    with a_page(browser, fed, 512, 384) as page:
        page.goto(f"{fed.running.origin}/#bed-{fed.beds[0].number}")
        page.wait_for_selector(".bed canvas")
        assert page.locator(".bed canvas").bounding_box()["height"] >= 6 * 30
        page.locator(".bed canvas").scroll_into_view_if_needed()
        nothing_is_cut_off(page, 512, ".bed canvas")


def test_calipers_measure_on_a_frozen_picture_with_keys_alone(browser: Any, fed: Fed) -> None:
    with a_page(browser, fed) as page:
        page.goto(f"{fed.running.origin}/#bed-{fed.beds[0].number}")
        assert has_painted(page, ".bed canvas", "#000000")
        page.keyboard.press("c")
        page.wait_for_selector(".frozen:not([hidden])")
        before = text(page, ".frozen")
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
        after = text(page, ".frozen")
        assert "400 ms" in before and "380 ms" in after
        page.keyboard.press("Space")
        page.wait_for_selector(".frozen", state="hidden")


def test_a_millimetre_is_a_millimetre_once_it_was_set(browser: Any, fed: Fed) -> None:
    with a_page(browser, fed) as page:
        page.goto(f"{fed.running.origin}/#bed-{fed.beds[0].number}")
        page.wait_for_selector(".bed canvas")
        for _ in range(3):
            page.locator("[data-do='mm+']").click()
        kept = float(page.evaluate("localStorage.getItem('px-per-mm')"))
        assert kept == pytest.approx(96 / 25.4 * 1.01**3)


@pytest.mark.parametrize(
    ("width", "height"), [(360, 640), (800, 480), pytest.param(3840, 2160, marks=pytest.mark.long)]
)
def test_nothing_is_cut_off_from_a_phone_to_4k(browser: Any, fed: Fed, width: int, height: int) -> None:
    with a_page(browser, fed, width, height, look="dark") as page:
        nothing_is_cut_off(page, width, ".tile canvas")
        page.goto(f"{fed.running.origin}/#bed-{fed.beds[0].number}")
        page.wait_for_selector(".bed canvas")
        nothing_is_cut_off(page, width, ".bed canvas")


def nothing_is_cut_off(page: Any, width: int, canvas: str) -> None:
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = page.evaluate(
        """() => [...document.querySelectorAll("button, .bpm, .limits, h2, #research, .state")]
          .filter(e => e.offsetParent && (e.getBoundingClientRect().right > innerWidth + 1
            || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).textOverflow !== "ellipsis"
               && getComputedStyle(e).display !== "inline"))
          .map(e => e.className + " " + e.textContent)"""
    )
    assert cut == []
    box = page.locator(canvas).first.bounding_box()
    assert box["width"] > 120 and box["height"] > 60


WHY = (
    "no record '/nowhere/on/this/disk/record' (there is no file '/nowhere/on/this/disk/record.hea'); "
    "check the path; opened again in 10 s"
)


@pytest.mark.parametrize("beds", [1, 6, 16])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1024, 600), (1600, 900)])
def test_on_a_tile_no_word_lies_over_another_or_leaves_it(
    browser: Any, fed: Fed, width: int, height: int, beds: int
) -> None:
    """With beds that cannot be opened, and say why at length, and one with an alarm."""
    for number in range(len(fed.beds), beds):
        if number % 3:
            fed.add(f"Bed {number + 1}")
        else:
            fed.running.beds.add(f"Bed {number + 1}").end(State.RECONNECTING, WHY)
    fed.running.beds.add("Last").end(State.RECONNECTING, WHY)
    fed.beds[0].event(Alarm(AlarmKind.HIGH_RATE, True, "150 bpm, above 120", at_s=0.0))
    with a_page(browser, fed, width, height) as page:
        page.wait_for_timeout(500)
        wrong = page.evaluate(
            """() => [...document.querySelectorAll(".tile")].flatMap(tile => {
              const box = (e) => e.getBoundingClientRect(), all = box(tile);
              const picture = box(tile.querySelector(".picture"));
              const curtain = tile.querySelector(".curtain"), foot = box(tile.querySelector(".foot"));
              const found = [];
              if (foot.bottom > all.bottom + 1) found.push(["foot", foot.bottom - all.bottom]);
              if (curtain.hidden) return found;
              const said = curtain.firstElementChild, words = box(said);
              for (const [side, by] of [["left", picture.left - words.left], ["top", picture.top - words.top],
                ["right", words.right - picture.right], ["bottom", words.bottom - picture.bottom]])
                if (by > 1) found.push([side, by]);
              if (said.title !== said.textContent) found.push(["title", said.title]);
              return found;
            })"""
        )
    assert wrong == []
