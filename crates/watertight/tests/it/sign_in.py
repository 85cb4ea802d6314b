"""Signs in to a MAPI/HTTP server over TLS by pyspnego, bound to the connection, to another one, or to none."""

import base64
import hashlib
import http.client
import socket
import ssl
import sys

import spnego
from spnego.channel_bindings import GssChannelBindings

host, port, ca, protocol, user, password, kind = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
connection = http.client.HTTPSConnection(host, int(port), context=context)
connection.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", int(port))), server_hostname=host)
certificate = connection.sock.getpeercert(True)
data = b"tls-server-end-point:" + hashlib.sha256(certificate if kind == "right" else b"other").digest()
bindings = None if kind == "none" else GssChannelBindings(application_data=data)
client = spnego.client(
    user or None, password or None, hostname=host, service="HTTP", protocol=protocol, channel_bindings=bindings
)
token = client.step()
name = "NTLM" if protocol == "ntlm" else "Negotiate"
for _ in range(4):
    headers = {"Authorization": name + " " + base64.b64encode(token).decode()}
    connection.request("POST", "/mapi/emsmdb/", b"", headers)
    answer = connection.getresponse()
    answer.read()
    reply = [v for k, v in answer.getheaders() if k.lower() == "www-authenticate" and v.startswith(name + " ")]
    if reply:
        token = client.step(base64.b64decode(reply[0].split()[1]))
    if answer.status != 401 or not reply:
        break
print(answer.status, client.complete)
