// What pages do beyond links and forms. Every page works without it, except copying.
(function () {
  "use strict";

  function say(text) {
    const place = document.getElementById("announce");
    place.textContent = "";
    window.setTimeout(function () { place.textContent = text; }, 50);
  }
  window.say = say;

  // Copy: the text leaves the page only into the clipboard.
  async function copy(button) {
    const label = button.querySelector("span");
    const before = label.textContent;
    await window.navigator.clipboard.writeText(button.dataset.copy);
    label.textContent = button.dataset.copied;
    say(button.dataset.copied);
    window.setTimeout(function () { label.textContent = before; }, 2000);
  }

  document.addEventListener("click", function (event) {
    const copyButton = event.target.closest("[data-copy]");
    if (copyButton) copy(copyButton);
    if (event.target.closest("[data-theme-switch]")) window.switchTheme();
    if (!event.target.closest(".search")) closeSearch();
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
})();
