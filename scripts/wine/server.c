// A server for scripts/wine/tap.
//   server            copies its input to its output, byte by byte, and exits with 7
//   server leave      starts a copy of itself that holds its output open for a minute, says so, and exits
//   server stay       never ends by itself
#include <stdio.h>
#include <string.h>
#include <windows.h>

int main(int count, char **arguments) {
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE), out = GetStdHandle(STD_OUTPUT_HANDLE);
    DWORD length, written;
    if (count > 1 && !strcmp(arguments[1], "stay")) Sleep(60000);
    if (count > 1 && !strcmp(arguments[1], "leave")) {
        STARTUPINFOA start = {.cb = sizeof start};
        PROCESS_INFORMATION process;
        char self[MAX_PATH], line[MAX_PATH + 16];
        GetModuleFileNameA(NULL, self, sizeof self);
        snprintf(line, sizeof line, "\"%s\" stay", self);
        if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process)) return 1;
        WriteFile(out, "last words", 10, &written, NULL);
        return 3;
    }
    char buffer[65536];
    while (ReadFile(in, buffer, sizeof buffer, &length, NULL) && length > 0) {
        for (DWORD done = 0; done < length; done += written)
            if (!WriteFile(out, buffer + done, length - done, &written, NULL)) return 8;
    }
    return 7;
}
