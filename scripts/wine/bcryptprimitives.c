// For wine before 9, which lacks this library: Rust's standard library takes random bytes from it.
// Tests only; Windows has its own.
typedef unsigned char BOOLEAN;
typedef unsigned long ULONG;
__declspec(dllimport) BOOLEAN SystemFunction036(void *bytes, ULONG length);

__declspec(dllexport) int ProcessPrng(unsigned char *bytes, unsigned long long length) {
    while (length > 0) {
        ULONG part = length > 0x10000 ? 0x10000 : (ULONG)length;
        if (!SystemFunction036(bytes, part)) return 0;
        bytes += part;
        length -= part;
    }
    return 1;
}
