// The field of components/seed_field.html: a pasted screenshot, and the camera where the browser can read QR codes.
// Without it the field takes a typed key or a chosen picture.
(function () {
  "use strict";

  const LOOK_EVERY = 200;
  const LOOK_FOR = 60000;
  let stopCamera = null;

  function part(field, name) {
    return field.querySelector("[data-seed-" + name + "]");
  }

  function tell(field, what) {
    const said = part(field, "said");
    said.textContent = what ? said.dataset[what] : "";
  }

  async function readsQr() {
    if (!("BarcodeDetector" in window) || !navigator.mediaDevices) return false;
    return (await window.BarcodeDetector.getSupportedFormats()).includes("qr_code");
  }

  async function reveal(root) {
    const fields = root.querySelectorAll("[data-seed-field]");
    if (!fields.length) return;
    const camera = await readsQr().catch(function () { return false; });
    fields.forEach(function (field) {
      part(field, "paste").hidden = false;
      part(field, "camera").hidden = !camera;
    });
  }

  function label(button, running) {
    button.querySelector("span").textContent = running ? button.dataset.stop : button.dataset.start;
  }

  async function scan(field) {
    const button = part(field, "scan");
    const video = field.querySelector("video");
    let stream = null;
    let running = true;
    function stop() {
      running = false;
      stopCamera = null;
      if (stream) stream.getTracks().forEach(function (track) { track.stop(); });
      video.srcObject = null;
      video.hidden = true;
      label(button, false);
    }
    stopCamera = function () { stop(); tell(field, ""); };
    label(button, true);
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (!running) { stream.getTracks().forEach(function (track) { track.stop(); }); return; }
      video.srcObject = stream;
      video.hidden = false;
      tell(field, "looking");
      await video.play();
    } catch {
      if (running) { stop(); tell(field, "denied"); }
      return;
    }
    const detector = new window.BarcodeDetector({ formats: ["qr_code"] });
    const until = Date.now() + LOOK_FOR;
    while (running && document.contains(field) && Date.now() < until) {
      const found = await detector.detect(video).catch(function () { return []; });
      if (running && found.length) {
        part(field, "input").value = found[0].rawValue;
        stop();
        tell(field, "found");
        part(field, "input").focus();
        return;
      }
      await new Promise(function (resolve) { window.setTimeout(resolve, LOOK_EVERY); });
    }
    if (running) { stop(); tell(field, "unseen"); }
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-seed-scan]");
    if (!button) return;
    if (stopCamera) stopCamera(); else scan(button.closest("[data-seed-field]"));
  });

  document.addEventListener("paste", function (event) {
    const field = event.target.closest("[data-seed-field]");
    if (!field || !event.clipboardData) return;
    const picture = [...event.clipboardData.files].find(function (file) { return file.type.startsWith("image/"); });
    if (!picture) return;
    event.preventDefault();
    const moved = new DataTransfer();
    moved.items.add(picture);
    part(field, "picture").files = moved.files;
    tell(field, "pasted");
  });

  // A camera does not stay on in a page that nobody looks at.
  document.addEventListener("visibilitychange", function () { if (document.hidden && stopCamera) stopCamera(); });
  document.addEventListener("htmx:load", function (event) { reveal(event.target); });
  reveal(document);
})();
