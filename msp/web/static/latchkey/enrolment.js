// The page of an enrolment: counts down, and takes what was shown once off the page when its time is over, or when
// the page is left, so that going back does not show it again. The page works without it.
(function () {
  "use strict";

  function takeAway() {
    document.querySelectorAll("[data-shown-once]").forEach(function (shown) {
      const gone = shown.nextElementSibling;
      shown.remove();
      if (gone && gone.hasAttribute("data-shown-gone")) gone.hidden = false;
    });
  }

  function words(seconds) {
    return Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
  }

  // By the clock on the wall: a machine that slept finds the time over.
  function watch(place) {
    place.setAttribute("data-watched", "");
    const ends = Date.now() + Number(place.dataset.countsDown) * 1000;
    function say() {
      if (!place.isConnected) { window.clearInterval(clock); return; }
      const left = Math.ceil((ends - Date.now()) / 1000);
      place.textContent = left > 0 ? place.dataset.left.replace("#", words(left)) : place.dataset.over;
      if (left > 0) return;
      window.clearInterval(clock);
      takeAway();
    }
    const clock = window.setInterval(say, 1000);
    say();
  }

  function watchAll() {
    document.querySelectorAll("[data-counts-down]:not([data-watched])").forEach(watch);
  }

  window.addEventListener("pagehide", takeAway);
  document.addEventListener("htmx:afterSettle", watchAll);
  watchAll();
})();
