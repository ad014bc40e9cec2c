using System.Runtime.InteropServices;
using MixedPrecision.Execution;

namespace MixedPrecision.Tests.Execution;

public sealed partial class RuntimeTelemetryTests
{
    /// <summary>What ONNX Runtime reads is the environment of native code, of which .NET's is a copy.</summary>
    [Fact]
    public void TheVariableIsSetForNativeCodeAndForProcessesThatAreStarted()
    {
        _ = SessionSettings.Default;
        Assert.Equal("1", Environment.GetEnvironmentVariable("ORT_DISABLE_TELEMETRY"));
        Assert.True(OperatingSystem.IsWindows() || Marshal.PtrToStringUTF8(Native("ORT_DISABLE_TELEMETRY")) == "1");
    }

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Native(string name);
}
