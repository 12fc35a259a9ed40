#!/usr/bin/env python3
"""Tests of the explorer in Debian's chromium.

usage: explorer.py [BASE_URL] [--pictures DIRECTORY]

It starts a real `lianfen node` on a chain of its own, with a mall's business on it, and for what needs a node that
misbehaves the fake one of Tests/JavaScript, whose blocks come ten a second. With a base URL it does what can be done
with a node that it does not own. Run it by `make pages`.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

from playwright.sync_api import expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic",
]
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
expect.set_options(timeout=10_000)


class Node:
    """A node as a process of one of Tests/JavaScript's scripts; it ends with its standard input."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            ["node", ROOT / "Tests/JavaScript" / command[0], *command[1:]], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.base = self.process.stdout.readline().strip()
        if not self.base:
            raise RuntimeError(f"{command[0]} ended with {self.process.wait(10)}")

    def tell(self, word):
        """Tells the fake node what to do."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)


class Visit:
    """A browser's context and page that note every complaint of the console and every request elsewhere."""

    def __init__(self, browser, base, size=DESK, scheme="light", locale="en-GB", tolerated=()):
        self.context = browser.new_context(
            viewport=size, color_scheme=scheme, locale=locale, device_scale_factor=2 if size is PHONE else 1,
            is_mobile=size is PHONE)
        self.page = self.context.new_page()
        self.complaints = []
        self.tolerated = tolerated
        self.page.on("console", lambda m: self.note(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.note(f"thrown: {error}"))
        self.page.on("request", lambda r: self.note(f"elsewhere: {r.url}") if not r.url.startswith(base) else None)
        self.page.goto(base + "/")

    def note(self, complaint):
        if not any(re.search(pattern, complaint) for pattern in self.tolerated):
            self.complaints.append(complaint)

    def __enter__(self):
        return self.page

    def __exit__(self, kind, *_):
        if kind is not None:
            # What was to be seen, for whoever looks into the failure.
            print(f"at {self.page.url}, with {self.complaints}: {self.page.locator('main').inner_text()[:500]!r}")
        self.context.close()
        if kind is None:
            assert not self.complaints, self.complaints


def live(page):
    expect(page.locator("#link")).to_have_attribute("data-state", "open")
    expect(page.locator("#blocks li").first).to_be_visible()


def height(page):
    return int(page.locator("#height").inner_text())


def grows(page):
    before = height(page)
    page.wait_for_function("h => Number(document.getElementById('height').textContent) > h", arg=before, timeout=30_000)


def no_sideways(page):
    wide = page.evaluate("""() => [...document.querySelectorAll("main *, header *")]
        .filter((e) => !e.closest(".unseen, .skip") && e.getBoundingClientRect().right > document.documentElement.clientWidth)
        .map((e) => e.outerHTML.slice(0, 80))""")
    assert not wide, f"wider than the window: {wide[:3]}"
    # Nothing sticks out of its card either.
    out = page.evaluate("""() => [...document.querySelectorAll(".facts dd > *, .steps .detail > *")]
        .filter((e) => e.getBoundingClientRect().right > e.closest(".card, .head").getBoundingClientRect().right)
        .map((e) => e.outerHTML.slice(0, 80))""")
    assert not out, f"out of its card: {out[:3]}"


def verify(page):
    page.get_by_role("button", name=re.compile("Verify in this browser|在本浏览器中验证")).click()
    expect(page.locator(".verdict")).to_be_visible(timeout=20_000)


# The tests: with any node that does as it should, and has transactions on it.


def test_blocks_arrive_and_the_list_is_bounded(browser, base):
    with Visit(browser, base) as page:
        live(page)
        grows(page)
        assert page.locator("#blocks li").count() <= 21
        no_sideways(page)


def test_a_block_verifies(browser, base):
    with Visit(browser, base) as page:
        live(page)
        page.locator("#blocks a").first.click()
        expect(page.locator("#view-detail h1")).to_contain_text("Block")
        expect(page.locator("#view-detail h1")).to_be_focused()
        verify(page)
        expect(page.locator(".verdict.good")).to_be_visible()
        expect(page.locator(".steps li[data-state=done]")).to_have_count(5)
        assert page.evaluate("localStorage.getItem('lianfen.genesis')").__len__() == 64
        page.get_by_role("link", name="← All blocks").click()
        expect(page.locator("#blocks li").first).to_be_visible()


def search(page, text):
    page.get_by_role("searchbox").fill(text)
    page.keyboard.press("Enter")


def test_the_search_takes_heights_and_ids_and_says_so(browser, base):
    # Chromium itself notes an answer of 404 in its console.
    with Visit(browser, base, tolerated=["status of 404"]) as page:
        live(page)
        expect(page.locator("label[for=query]")).to_have_text("Transaction id or block height")
        search(page, "1")
        expect(page.locator("#view-detail h1")).to_have_text("Block 1")
        digest = page.locator("#view-detail .facts code").first.get_attribute("title")
        search(page, "0")
        expect(page.locator("#view-detail h1")).to_have_text("Block 0")
        search(page, "hello")
        expect(page.locator("#search-note")).to_contain_text("neither a block height")
        search(page, digest)
        expect(page.locator("#search-note")).to_contain_text("Blocks are found by their height, not by their hash")
        search(page, "999999999")
        expect(page.locator("#view-detail .notice")).to_have_text("There is no certified block 999999999.")
        page.get_by_role("link", name="← All blocks").click()
        page.locator("#blocks li:has(.count:not(.none)) a").first.click()
        found = page.locator(".transactions a code").first.get_attribute("title")
        search(page, found.upper())
        expect(page.locator("#view-detail h1")).to_have_text("Transaction")
        expect(page.locator("#view-detail .facts code").first).to_have_attribute("title", found)
        expect(page.locator("#view-detail .facts")).to_contain_text("Certified")
        verify(page)
        expect(page.locator(".verdict.good")).to_be_visible()


def test_the_genesis_and_the_first_block_verify(browser, base):
    with Visit(browser, base) as page:
        live(page)
        for height in ("0", "1"):
            search(page, height)
            expect(page.locator("#view-detail h1")).to_have_text(f"Block {height}")
            verify(page)
            expect(page.locator(".verdict.good")).to_contain_text(f"Block {height} is final")


def test_nothing_runs_that_the_node_does_not_serve_as_a_file(browser, base):
    with Visit(browser, base, tolerated=["Content Security Policy", "status of 404"]) as page:
        live(page)
        page.evaluate("""() => {
            const script = document.createElement("script");
            script.textContent = "window.injected = true";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src='/none.svg' onerror='window.injected = true'>");
        }""")
        page.wait_for_timeout(300)
        assert page.evaluate("window.injected") is None


def test_chinese_by_the_browser_and_by_the_switch_and_remembered(browser, base):
    with Visit(browser, base, locale="zh-CN") as page:
        live(page)
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        expect(page.locator("#live-title")).to_have_text("最新区块")
        page.locator("#language").click()
        expect(page.locator("#live-title")).to_have_text("Latest blocks")
        page.reload()
        expect(page.locator("#live-title")).to_have_text("Latest blocks")
        page.locator("#language").click()
        live(page)
        page.locator("#blocks a").first.click()
        verify(page)
        expect(page.locator(".verdict.good")).to_contain_text("已在本浏览器中验证")


def test_a_pause_holds_the_list_still(browser, base):
    with Visit(browser, base) as page:
        live(page)
        page.locator("#pause").click()
        shown = page.locator("#blocks").inner_text()
        grows(page)
        assert page.locator("#blocks").inner_text() == shown
        expect(page.locator("#pause")).to_contain_text("new")
        page.locator("#pause").click()
        expect(page.locator("#pause")).to_have_text("Pause")
        assert page.locator("#blocks").inner_text() != shown


def test_all_of_it_by_the_keyboard(browser, base):
    with Visit(browser, base) as page:
        live(page)
        page.locator("#pause").click()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.matches('#blocks a')")
        page.keyboard.press("Enter")
        expect(page.locator("#view-detail h1")).to_be_focused()
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('button.main') && !document.activeElement.form"):
                break
        page.keyboard.press("Enter")
        expect(page.locator(".verdict.good")).to_be_visible(timeout=20_000)


def test_another_genesis_is_warned_of_and_does_not_verify(browser, base):
    with Visit(browser, base) as page:
        live(page)
        page.evaluate("localStorage.setItem('lianfen.genesis', '1'.repeat(64))")
        page.reload()
        expect(page.locator("#pin-warning")).to_be_visible()
        live(page)
        page.locator("#blocks a").first.click()
        verify(page)
        expect(page.locator(".verdict.bad")).to_be_visible()
        expect(page.locator(".steps li[data-state=failed] h3")).to_have_text(re.compile("genesis"))
        page.get_by_role("button", name=re.compile("I have compared it")).click()
        expect(page.locator("#pin-warning")).to_be_hidden()
        verify(page)
        expect(page.locator(".verdict.good")).to_be_visible()


def test_pages_fit_a_phone(browser, base):
    for width in (320, 360, 412):
        with Visit(browser, base, size={"width": width, "height": 640}) as page:
            live(page)
            no_sideways(page)
            page.locator("#blocks a").first.click()
            verify(page)
            no_sideways(page)


# The tests: with the fake node only, since they break it.


def fake_test_a_lost_stream_is_said_and_comes_back_without_a_gap(browser, base, fake):
    with Visit(browser, base, tolerated=["status of 503", "ERR_INCOMPLETE_CHUNKED", "net::ERR"]) as page:
        live(page)
        fake.tell("lose")
        expect(page.locator("#link")).to_have_attribute("data-state", "lost")
        expect(page.locator("#trouble")).to_contain_text("may be out of date")
        expect(page.locator("#spoken")).to_contain_text("stream is lost")
        fake.tell("heal")
        expect(page.locator("#link")).to_have_attribute("data-state", "open", timeout=30_000)
        expect(page.locator("#trouble")).to_be_hidden()
        expect(page.locator("#spoken")).to_contain_text("No block was missed")
        grows(page)
        shown = [int(text) for text in page.locator("#blocks .height").all_inner_texts()]
        assert shown == list(range(shown[0], shown[0] - len(shown), -1)), shown


def fake_test_a_forged_signature_is_found(browser, base, fake):
    with Visit(browser, base) as page:
        live(page)
        fake.tell("forge")
        page.locator("#blocks a").first.click()
        verify(page)
        fake.tell("heal")
        expect(page.locator(".verdict.bad")).to_contain_text("does not hold")
        expect(page.locator(".steps li[data-state=failed] h3")).to_have_text("Every signature matches")


def fake_test_rows_that_stay_are_not_touched(browser, base, fake):
    with Visit(browser, base) as page:
        live(page)
        kept = page.evaluate("""async () => {
            const list = document.getElementById("blocks");
            const first = list.firstElementChild;
            let changed = 0;
            const watch = new MutationObserver((records) => { changed += records.length; });
            watch.observe(first, { childList: true, subtree: true, characterData: true, attributes: true });
            const seen = list.firstElementChild.dataset.hash;
            await new Promise((resolve) => setTimeout(resolve, 1000));
            return { there: list.contains(first), moved: list.firstElementChild.dataset.hash !== seen, changed };
        }""")
        assert kept == {"there": True, "moved": True, "changed": 0}, kept


def pictures(browser, base, folder):
    """Pictures at a phone's and a desk's width, light and dark, to be looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in (("phone", PHONE), ("desk", DESK)):
        for scheme in ("light", "dark"):
            locale = "zh-CN" if (name, scheme) in (("phone", "dark"), ("desk", "light")) else "en-GB"
            with Visit(browser, base, size, scheme, locale) as page:
                live(page)
                page.wait_for_timeout(1200)
                page.screenshot(path=folder / f"{name}-{scheme}-head.png")
                page.locator("#blocks li:has(.count:not(.none)) a").first.click()
                verify(page)
                page.screenshot(path=folder / f"{name}-{scheme}-block.png", full_page=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("base", nargs="?")
    parser.add_argument("--pictures", type=pathlib.Path)
    options = parser.parse_args()
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not program:
        print("no chromium on the PATH", file=sys.stderr)
        return 3
    nodes = []
    failed = 0
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=FLAGS)

            def run(name, test):
                try:
                    test()
                    print(f"ok {name}", flush=True)
                    return 0
                except Exception as error:
                    print(f"NOT OK {name}: {error}", flush=True)
                    return 1

            tests = list(globals().items())
            if options.base:
                base = options.base.rstrip("/")
            else:
                fake = Node("fake.mjs", "0", "100")
                nodes.append(fake)
                for name, test in tests:
                    if name.startswith("fake_test_"):
                        failed += run(name, lambda: test(browser, fake.base, fake))
                        fake.tell("heal")
                nodes.append(Node("node.mjs", "500"))
                base = nodes[-1].base
            for name, test in tests:
                if name.startswith("test_"):
                    failed += run(name, lambda: test(browser, base))
            if options.pictures:
                pictures(browser, base, options.pictures)
            browser.close()
    finally:
        for node in nodes:
            node.stop()
    print(f"pages: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
