/* Opened as a file: browsers load no modules from a disk, and this is the one script that runs. */
if (location.protocol === "file:") {
  const notice = document.getElementById("notice");
  notice.textContent = "This page wants a web server: run python3 -m http.server in its folder, then open http://localhost:8000/";
  notice.hidden = false;
}
