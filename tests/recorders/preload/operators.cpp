// operator new and delete in all their forms.
#include <cstddef>
#include <new>
#include <string>
#include <vector>

struct alignas(64) Aligned { char bytes[64]; };

int main() {
    std::vector<std::string> names;
    for (int i = 0; i < 100; i++) {
        delete new int(i);
        delete[] new int[i + 1];
        delete new Aligned;
        delete[] new Aligned[3];
        ::operator delete(::operator new(10 + i, std::nothrow), std::nothrow);
        ::operator delete[](::operator new[](10 + i, std::nothrow), std::nothrow);
        names.push_back("a name that is longer than the buffer inside " + std::to_string(i));
    }
    delete[] new char[8 << 20]; // the allocator maps it
    return names.size() != 100;
}
