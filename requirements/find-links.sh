# Sourced. Torch's CPU build is not on PyPI: where pip is configured with find-links that hold it, uv is handed
# the same places; elsewhere uv's own knowledge of PyTorch's index is used. Sets UV_FIND_LINKS and backend=(...).
backend=(--torch-backend cpu)
links=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-$(python3 -m pip config get global.find-links 2>/dev/null || true)}}
for link in $links; do
  if ls "$link"/torch-*+cpu* >/dev/null 2>&1; then backend=(); fi
  case "$link" in http*://*torch*) backend=() ;; esac
done
if [ -n "$links" ]; then
  UV_FIND_LINKS=$(echo $links | tr ' ' ',')
  export UV_FIND_LINKS
fi
