using System.Runtime.InteropServices;

namespace MixedPrecision.FakeTool;

/// <summary>
/// Turns this process into another program under a filter of the Linux kernel (seccomp), which is on all that it starts as well. It ends a process at the first
/// attempt to open a socket of whatever kind: signal 31, hence exit code 159. Or it lets sockets fail that could lead off the machine, as if there were no network: those of the
/// IP protocols. Needs no rights and no package, and misses nothing, however short-lived.
/// </summary>
internal static partial class WithoutSockets
{
    private const int NoNewPrivileges = 38;
    private const int SetFilter = 22;
    private const int FilterMode = 2;

    // Instructions of the kernel's packet filter: load a word, jump if equal, return.
    private const ushort Load = 0x20;
    private const ushort JumpIfEqual = 0x15;
    private const ushort Return = 0x06;
    private const uint EndProcess = 0x80000000;
    private const uint Allow = 0x7fff0000;
    private const uint FailAsUnsupported = 0x00050000 | 97;

    // Where the kernel shows the number of the system call, and its first argument: of a socket the family of addresses.
    private const uint Call = 0;
    private const uint FirstArgument = 16;
    private const uint InternetFamily = 2;
    private const uint InternetFamily6 = 10;

    /// <summary>The number of the system call that opens a socket.</summary>
    private static uint SocketCall => RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 41u : 198u;

    /// <param name="command">Full path of the program, and its arguments.</param>
    /// <param name="isNetworkAlone">Whether only sockets fail that could lead off the machine; else any socket ends the program.</param>
    /// <returns>Only when it could not be started.</returns>
    public static unsafe int Execute(string[] command, bool isNetworkAlone)
    {
        // Jumps count the instructions that they pass over.
        Instruction[] instructions = isNetworkAlone
            ?
            [
                new(Load, 0, 0, Call), new(JumpIfEqual, 0, 4, SocketCall),
                new(Load, 0, 0, FirstArgument), new(JumpIfEqual, 1, 0, InternetFamily), new(JumpIfEqual, 0, 1, InternetFamily6),
                new(Return, 0, 0, FailAsUnsupported), new(Return, 0, 0, Allow),
            ]
            : [new(Load, 0, 0, Call), new(JumpIfEqual, 0, 1, SocketCall), new(Return, 0, 0, EndProcess), new(Return, 0, 0, Allow)];
        fixed (Instruction* first = instructions)
        {
            var program = new Program { Length = (ushort)instructions.Length, First = first };
            // The filter is this thread's, and goes over to the program that the thread becomes.
            if (Control(NoNewPrivileges, 1, 0, 0, 0) != 0 || Control(SetFilter, FilterMode, (nint)(&program), 0, 0) != 0)
            {
                throw new InvalidOperationException($"The kernel takes no filter: error {Marshal.GetLastPInvokeError()}.");
            }
        }
        string?[] arguments = [.. command, null];
        _ = Become(command[0], arguments);
        throw new InvalidOperationException($"{command[0]} does not start: error {Marshal.GetLastPInvokeError()}.");
    }

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Control(int option, nint second, nint third, nint fourth, nint fifth);

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Become(string path, string?[] arguments);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Instruction(ushort Code, byte IfTrue, byte IfFalse, uint Operand);

    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Program
    {
        public ushort Length;
        public Instruction* First;
    }
}
