// What pages do beyond links and forms. Every page works without it, except copying and hiding by itself.
(function () {
  "use strict";

  function say(text) {
    const place = document.getElementById("announce");
    place.textContent = "";
    window.setTimeout(function () { place.textContent = text; }, 50);
  }

  // Copy: the text leaves the page only into the clipboard.
  async function copy(button) {
    const label = button.querySelector("span");
    const before = label.textContent;
    await window.navigator.clipboard.writeText(button.dataset.copy);
    label.textContent = button.dataset.copied;
    say(button.dataset.copied);
    window.setTimeout(function () { label.textContent = before; }, 2000);
  }

  // A secret can be copied without being shown; showing it is a second decision.
  function unmask(button) {
    const secret = document.getElementById(button.dataset.unmask);
    secret.hidden = false;
    secret.parentElement.querySelector("[data-mask]").remove();
    button.remove();
  }

  // A secret leaves the page again: after its seconds, when it is closed, and when the page is left.
  function hide(secret) {
    const gone = document.createElement("p");
    gone.className = "text-secondary mb-0";
    gone.textContent = secret.dataset.hidden;
    secret.replaceWith(gone);
    say(secret.dataset.hidden);
  }

  function watch(secret) {
    const left = secret.querySelector("[data-seconds-left]");
    let seconds = Number(secret.dataset.hideAfter);
    const clock = window.setInterval(function () {
      seconds -= 1;
      if (!secret.isConnected) window.clearInterval(clock);
      else if (seconds > 0) left.textContent = String(seconds);
      else { window.clearInterval(clock); hide(secret); }
    }, 1000);
  }

  function watchAll(root) {
    root.querySelectorAll("[data-hide-after]:not([data-watched])").forEach(function (secret) {
      secret.setAttribute("data-watched", "");
      watch(secret);
    });
  }

  document.addEventListener("click", function (event) {
    const copyButton = event.target.closest("[data-copy]");
    if (copyButton) copy(copyButton);
    if (event.target.closest("[data-theme-switch]")) window.switchTheme();
    const hideButton = event.target.closest("[data-hide]");
    if (hideButton) hide(hideButton.closest("[data-hide-after]"));
    const showButton = event.target.closest("[data-unmask]");
    if (showButton) unmask(showButton);
    if (!event.target.closest(".search")) closeSearch();
  });
  window.addEventListener("pagehide", function () {
    document.querySelectorAll("[data-hide-after]").forEach(hide);
  });

  // Search: Ctrl+K goes there, arrows walk through what was found, Escape leaves.
  function closeSearch() {
    const found = document.getElementById("found");
    if (found) found.textContent = "";
  }

  function walk(event) {
    const links = [document.getElementById("search"), ...document.querySelectorAll("#found a")];
    const at = links.indexOf(document.activeElement);
    const step = event.key === "ArrowDown" ? 1 : -1;
    if (at < 0 || !links[at + step]) return;
    event.preventDefault();
    links[at + step].focus();
  }

  document.addEventListener("keydown", function (event) {
    const search = document.getElementById("search");
    if (!search) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.target.closest(".search")) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") walk(event);
      if (event.key === "Escape") { closeSearch(); search.value = ""; search.blur(); }
    }
  });

  // One press is one request: a form does not go twice within a few seconds. Longer it is not held, because an
  // answer that is a file leaves the page where it is.
  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (form.hasAttribute("data-under-way")) event.preventDefault();
    form.setAttribute("data-under-way", "");
    window.setTimeout(function () { form.removeAttribute("data-under-way"); }, 3000);
  });

  // htmx: trouble is said, never swallowed.
  function trouble(kind) {
    const place = document.getElementById("trouble");
    place.textContent = place.dataset[kind];
    place.hidden = false;
  }
  document.addEventListener("htmx:sendError", function () { trouble("unreachable"); });
  document.addEventListener("htmx:timeout", function () { trouble("unreachable"); });
  document.addEventListener("htmx:responseError", function () { trouble("refused"); });
  document.addEventListener("htmx:beforeRequest", function () { document.getElementById("trouble").hidden = true; });
  document.addEventListener("htmx:afterSettle", function (event) { watchAll(event.target); });
  watchAll(document);
})();
