// Keeps the page as its server, the sidecar or the fleet program, last answered, and says so
// when it does not answer. The page is rendered by the server alone: what changed is taken
// over from there.
"use strict";
(() => {
  const period = Number(document.body.dataset.period) || 2000, patience = 3000, keeps = 10000; // milliseconds
  const from = document.body.dataset.from || "the sidecar";
  const lost = document.documentElement.classList;
  const local = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "long"});
  let asking = false;
  let heard = Date.now(); // when the page last told another moment than before

  async function ask() {
    if (document.hidden) return;
    // By the wall clock, which a computer's sleep does not stop as it does timers.
    if (!lost.contains("lost") && Date.now() - heard > keeps) lose("Nothing new from " + from);
    if (asking) return;
    asking = true;
    try {
      const answer = await fetch(location.href.split("#")[0], {cache: "no-store", signal: AbortSignal.timeout(patience)});
      if (!answer.ok) throw new Error(answer.statusText);
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      lose("No answer from " + from);
    } finally {
      asking = false;
    }
  }

  function take(page) {
    const style = (d) => d.querySelector("link[rel=stylesheet]")?.getAttribute("href");
    if (style(page) !== style(document)) { // another release answers, or something else does
      if (!page.getElementById("overall")) throw new Error("not the status page");
      location.reload();
      return;
    }
    const asOf = (d) => d.querySelector(".asof time").dateTime;
    if (asOf(page) === asOf(document)) return; // said before: some proxy repeats an old answer
    heard = Date.now();
    document.title = page.title;
    showIcon(icon(page).getAttribute("href"));
    localise(page);
    const focused = document.activeElement;
    adopt(document.body, page.body);
    if (focused !== document.activeElement && focused.isConnected) focused.focus({preventScroll: true}); // it was moved
    lost.remove("lost");
    for (const clock of document.getAnimations()) { // the style sheet's own: no answer for too long
      clock.currentTime = 0;
      clock.play();
    }
  }

  const icon = (d) => d.querySelector("link[rel=icon]");

  function showIcon(href) {
    if (icon(document).getAttribute("href") !== href) icon(document).setAttribute("href", href);
  }

  // localise has each time tell the reader's own to whoever points at it.
  function localise(page) {
    for (const time of page.querySelectorAll("time")) time.title = local.format(new Date(time.dateTime));
  }

  // lose says what is the matter: that no answer came, or none that is news.
  function lose(matter) {
    const verdict = document.getElementById("overall");
    if (verdict.textContent === matter) return;
    document.title = matter + " · " + document.title.split(" · ").at(-1);
    showIcon(icon(document).dataset.lost);
    verdict.textContent = matter;
    document.querySelector("p.lost strong").firstChild.data = matter + " since ";
    if (lost.contains("lost")) return;
    lost.add("lost");
    for (const sign of document.querySelectorAll(".overall use")) sign.setAttribute("href", "#unknown");
    for (const said of document.querySelectorAll(".verdict .summary, .ready h2")) said.prepend("It last said: ");
  }

  // adopt makes one element like another, and touches nothing that is the same: focus,
  // selection and what a screen reader has read stay. Children with an id, such as the
  // cards, are moved to their new place. What a reader opened or closed stays so until the
  // state changes.
  function adopt(old, now) {
    if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName) {
      old.replaceWith(now);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== now.data) old.data = now.data;
      return;
    }
    const keep = old.nodeName === "DETAILS" && old.className === now.className ? "open" : "";
    for (const {name} of [...old.attributes]) if (name !== keep && !now.hasAttribute(name)) old.removeAttribute(name);
    for (const {name, value} of now.attributes) if (name !== keep && old.getAttribute(name) !== value) old.setAttribute(name, value);
    const want = [...now.childNodes];
    want.forEach((child, i) => {
      const same = child.id && [...old.children].find(({id}) => id === child.id);
      if (same && same !== old.childNodes[i]) old.insertBefore(same, old.childNodes[i]);
      if (old.childNodes[i]) adopt(old.childNodes[i], child);
      else old.append(child);
    });
    while (old.childNodes.length > want.length) old.lastChild.remove();
  }

  localise(document);
  document.addEventListener("visibilitychange", ask);
  setInterval(ask, period);
})();
