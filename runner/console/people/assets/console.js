// Keys of the arena, where the focus goes, and names that a screen reader needs. Nothing here knows who answered.
(() => {
  const LETTERS = { a: "vote-0", b: "vote-1", c: "vote-2", d: "vote-3", t: "vote-tie", x: "vote-neither", n: "next" };
  const CODES = { KeyA: "a", KeyB: "b", KeyC: "c", KeyD: "d", KeyT: "t", KeyX: "x", KeyN: "n" };
  const SWITCH = "loop.keys";
  const byId = (id) => document.getElementById(id);
  const box = () => document.querySelector("#question textarea, #question input");
  const button = (id) => (byId(id)?.matches("button") ? byId(id) : byId(id)?.querySelector("button"));
  const visible = (element) => Boolean(element) && element.getClientRects().length > 0;

  function writing(target) {
    return target.closest("input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable]");
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented || event.isComposing) return;
    if (localStorage.getItem(SWITCH) === "off" || writing(event.target) || !visible(byId("tab-arena"))) return;
    if (event.key === "/") {
      event.preventDefault();
      box()?.focus();
      return;
    }
    const key = event.key.toLowerCase();
    const suggestion = /^[1-3]$/.test(key) ? `suggestion-${key - 1}` : null;
    const wanted = button(suggestion ?? LETTERS[key] ?? LETTERS[CODES[event.code]] ?? "");
    if (visible(wanted) && !wanted.disabled) {
      event.preventDefault();
      wanted.click();
    }
  }

  function toAnswers() {
    document.activeElement?.blur();
    const status = byId("status");
    if (status) {
      status.tabIndex = -1;
      status.focus({ preventScroll: true });
    }
  }

  function clicked(event) {
    const id = event.target.closest?.("button")?.id ?? "";
    if (id === "ask") setTimeout(toAnswers);
    if (id === "next" || id.startsWith("suggestion-")) setTimeout(() => box()?.focus(), 80);
  }

  function entered(event) {
    const asked = event.target.closest?.("#question") && event.key === "Enter" && !event.shiftKey && !event.isComposing;
    if (asked && event.target.value.trim()) setTimeout(toAnswers, 30);
  }

  function named() {
    const keys = byId("use-keys");
    if (keys && !keys.dataset.ready) {
      keys.dataset.ready = "yes";
      keys.checked = localStorage.getItem(SWITCH) !== "off";
      keys.addEventListener("change", () => localStorage.setItem(SWITCH, keys.checked ? "on" : "off"));
    }
    for (const [key, id] of Object.entries(LETTERS)) button(id)?.setAttribute("aria-keyshortcuts", key);
    document.querySelectorAll("[id^=answer-].answer-body").forEach((body) => {
      const letter = body.closest(".answer")?.querySelector(".letter")?.textContent;
      if (letter && body.getAttribute("aria-label") !== letter) {
        body.setAttribute("role", "region");
        body.setAttribute("aria-label", letter);
        body.tabIndex = 0;
      }
    });
  }

  document.addEventListener("keydown", pressed);
  document.addEventListener("keydown", entered, true);
  document.addEventListener("click", clicked, true);
  new MutationObserver(named).observe(document.documentElement, { childList: true, subtree: true });
})();
