// The password on the page of an account: copied unseen, shown on demand, and gone again by itself.
// Without this script it can be shown, and nothing else.
(function () {
  "use strict";

  // Calls back once the seconds are over, by the clock on the wall: a machine that slept finds them over.
  function count(element, seconds, whenOver) {
    const left = element.querySelector("[data-seconds-left]");
    const ends = Date.now() + seconds * 1000;
    const clock = window.setInterval(function () {
      const more = Math.ceil((ends - Date.now()) / 1000);
      if (more > 0) left.textContent = String(more);
      else { window.clearInterval(clock); whenOver(); }
    }, 1000);
    return clock;
  }

  // Shown: it leaves the page after its seconds, when it is told to, and when the page is left.
  function hide(secret) {
    if (!secret.isConnected) return;
    const gone = document.createElement("p");
    gone.className = "text-secondary";
    gone.textContent = secret.dataset.hidden;
    secret.replaceWith(gone);
    window.say(secret.dataset.hidden);
  }

  window.addEventListener("pagehide", function () {
    document.querySelectorAll("[data-hide-after]").forEach(hide);
  });
  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-hide]");
    if (button) hide(button.closest("[data-hide-after]"));
  });

  // In the clipboard: emptied after its seconds. Where pages may look, only what we put there is taken away.
  let waiting = null;

  async function mayLook() {
    try {
      return (await navigator.permissions.query({ name: "clipboard-read" })).state === "granted";
    } catch (_unknown) {
      return false;
    }
  }

  async function emptyIt(password) {
    try {
      const looks = await mayLook();
      if (looks && await navigator.clipboard.readText() !== password) return "replaced";
      await navigator.clipboard.writeText("");
      return looks ? "cleared" : "overwritten";
    } catch (_refused) {
      return "stays";
    }
  }

  // Browsers refuse while somebody works elsewhere, and some without a click: then at the next occasion.
  const OCCASIONS = ["focus", "click", "keydown"];

  function emptyNowOrLater(password, tell) {
    let busy = false;
    const mine = {
      stop: function () { OCCASIONS.forEach(function (name) { window.removeEventListener(name, attempt); }); },
    };
    async function attempt() {
      if (busy || waiting !== mine) return;
      busy = true;
      const outcome = await emptyIt(password);
      busy = false;
      if (waiting !== mine) return;
      tell(outcome);
      if (outcome === "stays") return;
      mine.stop();
      waiting = null;
    }
    waiting = mine;
    OCCASIONS.forEach(function (name) { window.addEventListener(name, attempt); });
    attempt();
  }

  function stopWaiting() {
    if (waiting) waiting.stop();
    waiting = null;
  }

  function sayOutcome(notice, outcome) {
    const grave = outcome === "stays" || outcome === "refused";
    notice.className = "alert alert-" + (grave ? "warning" : "success");
    notice.textContent = notice.dataset[outcome];
    window.say(notice.dataset[outcome]);
  }

  function watchClipboard(notice, password) {
    window.say(notice.querySelector(".alert-title").textContent);
    const clock = count(notice, Number(notice.dataset.clearAfter), function () {
      emptyNowOrLater(password, function (outcome) { sayOutcome(notice, outcome); });
    });
    waiting = { stop: function () { window.clearInterval(clock); } };
  }

  // Copied: the password comes in an answer of its own and goes into the clipboard, never into the page.
  class Refusal extends Error {
    constructor(part) { super("refused"); this.part = part; }
  }

  async function ask(form, button) {
    const body = new FormData(form);
    body.append(button.name, button.value);
    const headers = { Accept: "application/json, text/html;q=0.9" };
    const answer = await window.fetch(button.formAction, { method: "POST", body: body, headers: headers });
    const kind = answer.headers.get("Content-Type") || "";
    if (answer.ok && kind.startsWith("application/json")) return answer.json();
    if (answer.status === 422) throw new Refusal(await answer.text());
    throw new Error("unexpected");
  }

  // Some browsers let a page write only while the click is fresh, so the writing begins before the answer is here.
  async function put(text) {
    if (window.ClipboardItem && navigator.clipboard.write) {
      const blob = text.then(function (known) { return new Blob([known], { type: "text/plain" }); });
      try {
        await navigator.clipboard.write([new window.ClipboardItem({ "text/plain": blob })]);
        return true;
      } catch (_noPromises) {
        await text;
      }
    }
    try {
      await navigator.clipboard.writeText(await text);
      return true;
    } catch (_refused) {
      return false;
    }
  }

  function trouble(kind) {
    const place = document.getElementById("trouble");
    place.textContent = place.dataset[kind];
    place.hidden = false;
  }

  function swap(part) {
    window.htmx.swap("#reveal", part, { swapStyle: "innerHTML" });
  }

  async function copy(form, button) {
    document.getElementById("trouble").hidden = true;
    const asked = ask(form, button);
    let answer = null;
    let arrived = false;
    try {
      arrived = await put(asked.then(function (answered) { return answered.password; }));
      answer = await asked;
    } catch (problem) {
      if (problem instanceof Refusal) swap(problem.part);
      else trouble(problem instanceof TypeError ? "unreachable" : "refused");
      return;
    }
    stopWaiting();
    swap(answer.part);
    const notice = document.querySelector("#reveal [data-clipboard]");
    if (arrived) watchClipboard(notice, answer.password);
    else sayOutcome(notice, "refused");
  }

  // Before htmx hears of it: it listens at the form.
  document.addEventListener("submit", async function (event) {
    const form = event.target, button = event.submitter;
    if (!button || !button.hasAttribute("data-copies")) return;
    event.preventDefault();
    event.stopPropagation();
    if (form.hasAttribute("data-copying")) return;
    form.setAttribute("data-copying", "");
    await copy(form, button);
    form.removeAttribute("data-copying");
  }, true);

  // A check-out says how long it lasts, in minutes.
  function sayTimeLeft(place) {
    const minutes = Math.ceil((Date.parse(place.dataset.timeLeft) - Date.now()) / 60000);
    place.textContent = minutes > 0 ? place.dataset.minutes.replace("#", String(minutes)) : place.dataset.over;
  }

  function watchAll() {
    document.querySelectorAll("[data-hide-after]:not([data-watched])").forEach(function (secret) {
      secret.setAttribute("data-watched", "");
      count(secret, Number(secret.dataset.hideAfter), function () { hide(secret); });
    });
    if (!navigator.clipboard) return;
    document.querySelectorAll("[data-copies][hidden]").forEach(function (button) {
      button.type = "submit";
      button.hidden = false;
    });
  }

  document.querySelectorAll("[data-time-left]").forEach(function (place) {
    sayTimeLeft(place);
    window.setInterval(function () { sayTimeLeft(place); }, 15000);
  });
  document.addEventListener("htmx:afterSettle", watchAll);
  watchAll();
})();
