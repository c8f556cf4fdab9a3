// The public page of a one-time link. The key stands in the fragment of the link, which browsers never send: what the
// server keeps is decrypted here and nowhere else. The one opening is spent only when this browser can decrypt it.
(function () {
  "use strict";

  const FORMAT = "latchkey/hand-over/1";
  const KEY_BYTES = 32;
  const CHECK_BYTES = 4;
  const NONCE_BYTES = 12;
  const SECONDS_SHOWN = 60;

  const box = document.getElementById("hand-over");
  if (!box) return;
  const finder = window.location.pathname.split("/").pop();
  const text = new TextEncoder();
  let key = null;
  let clock = null;

  // One sentence at a time says how things stand; without this script the one that asks for it stays.
  function say(situation) {
    box.querySelectorAll("[data-situation]").forEach(function (one) {
      one.hidden = one.dataset.situation !== situation;
    });
  }

  function bytesOf(base64) {
    try {
      return Uint8Array.from(window.atob(base64), function (character) { return character.charCodeAt(0); });
    } catch {
      return new Uint8Array();
    }
  }

  function joined(first, second) {
    const both = new Uint8Array(first.length + second.length);
    both.set(first);
    both.set(second, first.length);
    return both;
  }

  // The fragment is the key and the beginning of a hash over finder and key, so that half a link is noticed in time.
  async function keyIn(fragment) {
    const bytes = bytesOf(fragment.replaceAll("-", "+").replaceAll("_", "/"));
    if (bytes.length !== KEY_BYTES + CHECK_BYTES) return null;
    const raw = bytes.slice(0, KEY_BYTES);
    const content = joined(text.encode(`${FORMAT}/${finder}/`), raw);
    const hash = new Uint8Array(await window.crypto.subtle.digest("SHA-256", content));
    const whole = bytes.slice(KEY_BYTES).every(function (byte, at) { return byte === hash[at]; });
    return whole ? window.crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]) : null;
  }

  async function look() {
    const fragment = window.location.hash.slice(1);
    // Out of the address bar before anything else, whatever comes next.
    if (fragment) window.history.replaceState(null, "", window.location.pathname);
    if (!window.crypto || !window.crypto.subtle) return say("no-crypto");
    if (!fragment) return say("no-key");
    try {
      key = await keyIn(fragment);
    } catch {
      return say("no-crypto");
    }
    return say(key ? "ready" : "damaged");
  }

  async function open() {
    say("asking");
    let answer, content;
    try {
      answer = await window.fetch(window.location.pathname, {
        method: "POST",
        headers: { "X-CSRFToken": box.querySelector("[name=csrfmiddlewaretoken]").value, Accept: "application/json" },
        cache: "no-store",
        redirect: "error",
      });
      if (answer.status === 403) return say("not-asked");
      content = await answer.json();
    } catch {
      return say("no-answer");
    }
    if (!answer.ok) return say(content.situation || "no-answer");
    try {
      show(await decrypted(content));
    } catch {
      say("unreadable");
    }
    key = null;
  }

  async function decrypted(content) {
    const bytes = bytesOf(content.ciphertext);
    const how = {
      name: "AES-GCM",
      iv: bytes.slice(0, NONCE_BYTES),
      additionalData: text.encode(`${FORMAT}/${content.link}`),
    };
    const message = await window.crypto.subtle.decrypt(how, key, bytes.slice(NONCE_BYTES));
    return JSON.parse(new TextDecoder().decode(message));
  }

  function put(root, selector, value) {
    const place = root.querySelector(selector);
    place.textContent = value;
    place.parentElement.querySelector("[data-copy]").dataset.copy = value;
  }

  function show(message) {
    const shown = box.querySelector("template[data-shown-once]").content.cloneNode(true);
    put(shown, "[data-account]", message.account);
    shown.querySelector("[data-several]").hidden = message.passwords.length < 2;
    message.passwords.forEach(function (one) {
      const part = box.querySelector("template[data-one-password]").content.cloneNode(true);
      put(part, "[data-password]", one.password);
      const remark = part.querySelector(`[data-state="${one.state}"]`);
      if (remark) remark.hidden = false;
      shown.querySelector("[data-passwords]").append(part);
    });
    const place = box.querySelector('[data-situation="shown"]');
    place.replaceChildren(shown);
    say("shown");
    place.focus();
    countDown(place.querySelector("[data-left]"));
  }

  function countDown(left) {
    let seconds = SECONDS_SHOWN;
    clock = window.setInterval(function () {
      seconds -= 1;
      left.textContent = String(seconds);
      if (seconds <= 0) hide();
    }, 1000);
  }

  function hide() {
    if (!clock) return;
    window.clearInterval(clock);
    clock = null;
    box.querySelector('[data-situation="shown"]').replaceChildren();
    say("hidden-again");
  }

  box.addEventListener("click", function (event) {
    if (event.target.closest("[data-open]")) open();
    if (event.target.closest("[data-hide-it]")) hide();
  });
  window.addEventListener("pagehide", hide);
  // The whole link pasted into this tab only changes the fragment, and the browser would not load the page again.
  // A fragment that names a place of this page is the link that skips to the content.
  window.addEventListener("hashchange", function () {
    if (!document.getElementById(window.location.hash.slice(1))) window.location.reload();
  });
  look();
})();
