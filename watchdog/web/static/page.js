// Keeps the page up to date in place, and filters while one types. Without it the page works too.
"use strict";
(() => {
  const EVERY = 10_000;
  const PATIENCE = 8_000;
  const PAUSE_IN_TYPING = 150;
  const parser = new DOMParser();
  let asked = 0;
  let timer = 0;
  let typing = 0;

  const byId = (id) => document.getElementById(id);

  const clock = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
  const zone = clock.resolvedOptions().timeZone;

  // The zone of the reader; the page itself is in UTC, which the title keeps.
  function zoned(root) {
    for (const each of root.querySelectorAll("time[datetime]")) {
      const here = clock.format(new Date(each.dateTime));
      each.title = `${here} ${zone}, ${each.title}`;
      if (each.dataset.zoned !== undefined) {
        each.textContent = each.dataset.zoned === "named" ? `${here} ${zone}` : here;
      }
    }
    const named = root.querySelector("#zone");
    if (named) named.textContent = zone;
  }

  function copy(code, button) {
    getSelection().selectAllChildren(code);
    const done = () => {
      button.textContent = "copied";
      setTimeout(() => (button.textContent = "copy"), 2_000);
      getSelection().removeAllRanges();
    };
    // Only a page that came by https or from this machine may write there: else it stays selected.
    navigator.clipboard?.writeText(code.textContent).then(done, () => {});
  }

  function copyable(root) {
    for (const code of root.querySelectorAll(".commands code")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.id = `copy-${code.id}`;
      button.textContent = "copy";
      button.setAttribute("aria-label", `Copy: ${code.textContent}`);
      code.after(" ", button);
    }
  }

  function dressed(root) {
    zoned(root);
    copyable(root);
  }

  const LOST = "The watchdog does not answer";

  function lost(is) {
    const note = byId("lost");
    if (note.hidden !== is) return;
    note.hidden = !is;
    note.textContent = is ? `${LOST}: this is what it last said.` : "";
    document.body.classList.toggle("stale", is);
    const headline = byId("headline");
    if (!is) return;
    document.title = `${LOST} · baseten-watchdog`;
    if (headline) headline.textContent = LOST;
  }

  // What is marked as live gives way to what came; the form and what is typed in it stay.
  function swap(fresh) {
    const main = document.querySelector("main");
    const came = fresh.querySelector("main");
    if (!came) return lost(true);
    lost(false);
    dressed(fresh);
    const focused = document.activeElement?.id;
    const { scrollX, scrollY } = window;
    document.title = fresh.title;
    if (main.dataset.page !== came.dataset.page) main.replaceWith(came);
    for (const part of fresh.querySelectorAll("[data-live]")) byId(part.id)?.replaceWith(part);
    const [shown, now] = [byId("shown"), fresh.getElementById("shown")];
    if (shown && now && shown.textContent !== now.textContent) shown.textContent = now.textContent;
    if (focused && document.activeElement === document.body) {
      byId(focused)?.focus({ preventScroll: true });
    }
    window.scrollTo(scrollX, scrollY);
  }

  async function load() {
    const mine = ++asked;
    clearTimeout(timer);
    try {
      const signal = AbortSignal.timeout(PATIENCE);
      const answer = await fetch(location.href, { cache: "no-store", signal });
      const text = await answer.text();
      if (mine === asked) swap(parser.parseFromString(text, "text/html"));
    } catch {
      if (mine === asked) lost(true);
    }
    if (mine === asked) plan();
  }

  function plan() {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, EVERY);
  }

  // Not under the hands of somebody who selects text to copy it.
  function refresh() {
    if (getSelection()?.isCollapsed === false) plan();
    else load();
  }

  function go(url, { replace = false } = {}) {
    if (replace) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    load();
  }

  function submit({ replace }) {
    clearTimeout(typing);
    const query = new URLSearchParams(new FormData(byId("filter")));
    if (!query.get("q")) query.delete("q");
    const text = query.toString();
    go(text ? `?${text}` : location.pathname, { replace });
  }

  document.addEventListener("input", (event) => {
    if (event.target.id !== "q") return;
    clearTimeout(typing);
    typing = setTimeout(submit, PAUSE_IN_TYPING, { replace: true });
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "filter") return;
    event.preventDefault();
    submit({ replace: false });
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button.copy");
    if (button) return copy(button.parentElement.querySelector("code"), button);
    const link = event.target.closest?.("a[data-soft]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    clearTimeout(typing);
    const query = new URLSearchParams(link.search);
    if (byId("q")) byId("q").value = query.get("q") ?? "";
    go(link.href);
  });
  window.addEventListener("popstate", () => {
    if (byId("q")) byId("q").value = new URLSearchParams(location.search).get("q") ?? "";
    load();
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : load()));
  dressed(document);
  plan();
})();
