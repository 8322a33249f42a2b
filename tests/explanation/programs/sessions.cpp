/* Each second request leaves a session, between the requests that are freed. */
#include <cstdlib>
#include <vector>

struct Session { char state[184]; };
struct Request { char body[1500]; };

static std::vector<Session *> sessions;

__attribute__((noinline)) static void remember_session() {
    sessions.push_back(new Session); /* guilty */
}

__attribute__((noinline)) static Request *read_request() { return new Request; }

int main(int, char **arguments) {
    const int count = std::atoi(arguments[1]);
    std::vector<Request *> requests;
    sessions.reserve(count);
    requests.reserve(count);
    for (int number = 0; number < count; number++) {
        requests.push_back(read_request());
        if (number % 2) remember_session();
    }
    for (Request *request : requests) delete request;
    return sessions.empty();
}
