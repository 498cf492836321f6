// Keeps the page up to date and copies texts. Without it everything works, and the page reloads itself.
"use strict";

// What the address said is on the page now, and is not to be said again when it is loaded again.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

for (const button of document.querySelectorAll("[data-copy]")) {
  const text = document.getElementById(button.dataset.copy);
  const label = button.ariaLabel;
  const say = (word) => {
    button.textContent = word;
    button.ariaLabel = word;
    setTimeout(() => { button.textContent = "Copy"; button.ariaLabel = label; }, 2000);
  };
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      say("Copied");
    } catch {
      // Without https a browser does not let us copy: the text is selected for the person to do it.
      getSelection().selectAllChildren(text);
      say("Selected");
    }
  });
}

const away = document.getElementById("away");

const source = new EventSource("/live");
source.addEventListener("open", () => { away.hidden = true; });
source.addEventListener("message", (event) => {
  const { frame, ...places } = JSON.parse(event.data);
  // Started anew with other settings, or another version: what is around the places has changed, too. Once only,
  // since for a while there may be instances of both.
  if (frame && frame !== document.body.dataset.frame && frame !== sessionStorage.getItem("frame")) {
    sessionStorage.setItem("frame", frame);
    return location.reload();
  }
  for (const [name, html] of Object.entries(places)) {
    const place = document.getElementById(name);
    // Whoever is about to press a button in it, or scrolls in it, keeps it.
    if (place && !place.contains(document.activeElement)) place.innerHTML = html;
  }
});
source.addEventListener("error", () => {
  away.hidden = false;
  // Closed for good: the session is over, or somebody else answers in our place.
  if (source.readyState === EventSource.CLOSED) setTimeout(comeBack, 5000);
});

// Loads the page anew once the service answers: it knows what to show then.
async function comeBack() {
  const answer = await fetch("/", { method: "HEAD" }).catch(() => null);
  if (answer?.ok) location.reload();
  else setTimeout(comeBack, 5000);
}
