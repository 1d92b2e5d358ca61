// Says why one is here again.
const why = new URLSearchParams(location.search).get("refused");
const text = {
  key: "That is no key in force with the scope live:read.",
  ticket: "That link was used already, or is older than five minutes.",
}[why];
if (text) {
  const place = document.getElementById("refused");
  place.textContent = text;
  place.hidden = false;
}
