// The MCP server of scripts/try-image, linked with musl as the servers in Alpine's images are: one tool, `add_note`.
//   server            answers on standard output, and ends with 0 at the end of its input, with 7 when it is told `quit`
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The value of `"id"` in a request, as it is written there; nothing for a notification.
static int id_of(const char *line, char *id, size_t size) {
    const char *start = strstr(line, "\"id\":");
    if (!start) return 0;
    start += 5;
    size_t length = strcspn(start, ",}\n");
    if (length == 0 || length >= size) return 0;
    memcpy(id, start, length);
    id[length] = 0;
    return 1;
}

static int asks(const char *line, const char *method) {
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"method\":\"%s\"", method);
    return strstr(line, wanted) != NULL;
}

int main(void) {
    char *line = NULL, id[64];
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        const char *result = "{}";
        if (asks(line, "quit")) return 7;
        if (!id_of(line, id, sizeof id)) continue;
        if (asks(line, "initialize"))
            result = "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},"
                     "\"serverInfo\":{\"name\":\"notes-mcp\",\"version\":\"1.4.0\"}}";
        else if (asks(line, "tools/list"))
            result = "{\"tools\":[{\"name\":\"add_note\",\"inputSchema\":{\"type\":\"object\"}}]}";
        else if (asks(line, "tools/call"))
            result = "{\"content\":[{\"type\":\"text\",\"text\":\"noted\"}]}";
        printf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n", id, result);
        fflush(stdout);
    }
    free(line);
    return 0;
}
