"""fastmcp's proxy over streamable HTTP, in front of a stdio server: PORT COMMAND [ARGUMENT...]"""

import sys

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy

port, command, *arguments = sys.argv[1:]
create_proxy(StdioTransport(command, arguments), name="peer").run(
    transport="http", host="127.0.0.1", port=int(port), show_banner=False, log_level="error"
)
